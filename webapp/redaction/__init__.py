"""Redaction: finds secrets in exports and logs by the rules of a setting, by their names and by their shapes."""
