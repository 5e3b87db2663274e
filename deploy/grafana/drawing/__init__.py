"""Draws dashboards from the answers that the checker kept, for the documentation: not Grafana's own drawing."""
