"""What each request passes through before its route, and how the server tells that it is well."""
