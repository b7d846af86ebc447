"""Metrics for Prometheus: each declared once, two targets (control and web), dashboards made from the same names."""
