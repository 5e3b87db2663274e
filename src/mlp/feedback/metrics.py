"""Metrics of feedback: labels by what became of them, and how long they took."""

from mlp.observability.metrics import counter, histogram

labels = counter("mlp_feedback_labels_total", "Labels by what became of them.", ("model", "state"))
label_delay_seconds = histogram(
    "mlp_feedback_label_delay_seconds",
    "From the predicted event to its label.",
    ("model",),
    (60, 300, 1_800, 3_600, 10_800, 43_200, 86_400, 259_200, 604_800, 2_592_000),
)
