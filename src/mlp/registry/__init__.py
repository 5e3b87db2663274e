"""Which models exist, which version answers, and how a folder becomes a version. Knows nothing of predictions."""
