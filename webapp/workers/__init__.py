"""`serve --workers N`: a parent that holds the socket, and the server processes that it starts."""
