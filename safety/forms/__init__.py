"""Faster forms of the rules, each held to the meaning by a differential test."""
