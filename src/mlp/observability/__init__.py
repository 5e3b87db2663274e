"""Is the service well: log lines and metrics. Whether a model is well is monitoring's to say."""
