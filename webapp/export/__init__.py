"""A run to take away: as plain text, NDJSON, CSV, and one HTML file."""
