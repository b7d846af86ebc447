"""The routes of /v1, a file for each thing an operator thinks of."""
