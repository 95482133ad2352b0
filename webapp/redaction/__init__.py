"""What leaves this server is searched for secrets: rules, names of secrets, and the shapes they come in."""
