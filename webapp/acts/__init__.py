"""What people and the server do to a run."""
