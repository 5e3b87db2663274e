"""Is the model well? Scores with their intervals against labels, and drift of features against a frozen reference.

The numerics (histograms, drift, significance, scores, intervals, windows) are pure functions of arrays and need NumPy
alone: no database, no files, no clock.
"""
