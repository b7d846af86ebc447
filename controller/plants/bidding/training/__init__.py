"""Fit and bundle of the bidding candidate. Nothing that serves imports it."""
