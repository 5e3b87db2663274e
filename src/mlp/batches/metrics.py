"""Metrics of batch files."""

from mlp.observability.metrics import counter

rows = counter("mlp_batch_rows_total", "Rows of batch files by outcome: answered, bad.", ("outcome",))
