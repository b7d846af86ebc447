"""A plant that keeps its own loop and asks."""
