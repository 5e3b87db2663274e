"""Runs what the dashboards ask, as Grafana would, on a Prometheus and a PostgreSQL, and says what came back."""
