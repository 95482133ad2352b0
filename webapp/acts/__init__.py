"""Actions on runs, by people and by the server."""
