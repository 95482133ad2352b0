"""The HTTP layer: parsing, limits, errors and security headers of requests and responses, and health."""
