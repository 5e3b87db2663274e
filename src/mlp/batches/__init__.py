"""Batch files: a file of any size in, cut into chunks that many workers share, and a file of answers out."""
