"""What Prometheus is told: every metric declared once, two targets (control and web), dashboards made from the same names."""
