"""The operator console, rendered on the server."""
