"""Machine Learning in Production: a trained model becomes a service that is recorded, watched, rolled back.

The public names are the typed client and its results, the errors, and the contract that a runtime implements.
They are imported on first use, so that ``import mlp`` stays cheap.
"""

__version__ = "0.1.0"
