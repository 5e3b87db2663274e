"""From a request to a recorded answer: decoding, batching, running, recording. The registry says which version."""
