"""Durable records: the local spool, shipping, and the SQL store behind it."""
