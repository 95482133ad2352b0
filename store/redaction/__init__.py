"""Redaction: finds secrets in exports, logs and new events, by rules, by their names and by their shapes."""
