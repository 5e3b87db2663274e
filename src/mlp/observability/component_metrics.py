"""Metrics of what a process needs around it: whether each part answers, how fast, the disk, and the release."""

from mlp.observability.metrics import gauge

up = gauge(
    "mlp_component_up", "Whether a part of the stack answers this server: 1 or 0.", ("component",), is_summed=False
)
check_seconds = gauge(
    "mlp_component_check_seconds", "How long the part took to answer.", ("component",), is_summed=False
)
disk_free_bytes = gauge("mlp_disk_free_bytes", "Free bytes on the disk of the spool.", is_summed=False)
disk_size_bytes = gauge("mlp_disk_size_bytes", "Size of the disk of the spool.", is_summed=False)
release = gauge("mlp_release", "1 for the release that this process runs.", ("version",), is_summed=False)
start_time_seconds = gauge(
    "mlp_start_time_seconds", "When this process started, in seconds since 1970.", is_summed=False
)
leader = gauge("mlp_periodic_leader", "1 in the process that does the periodic work of the stack.")
