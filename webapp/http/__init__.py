"""What each request passes through, and how the server tells that it is well."""
