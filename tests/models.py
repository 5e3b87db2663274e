"""Small real models for tests, in the folder form: own code of a few lines that needs nothing but NumPy and pandas."""

from pathlib import Path

_TOML = """
[model]
runtime = "python"
task = "classification"
classes = [false, true]

[inputs]
x = "float64"
y = "float64"
"""

#: Predicts whether x + y + bias is above zero; ``bias`` tells versions apart.
_CODE = """
import os
import sys
import time

import numpy as np


def load(folder):
    {at_load}
    return {bias}


def predict(bias, frame):
    {at_predict}
    score = 1 / (1 + np.exp(-(frame["x"] + frame["y"] + bias).to_numpy()))
    return np.column_stack([1 - score, score])
"""


def sign_model(folder: Path, *, bias: float = 0.0, at_load: str = "pass", at_predict: str = "pass") -> Path:
    """A model folder; ``at_load`` and ``at_predict`` are lines of Python that run there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlp.toml").write_text(_TOML)
    (folder / "model.py").write_text(_CODE.format(bias=bias, at_load=at_load, at_predict=at_predict))
    (folder / "example.json").write_text('{"rows": [{"x": 1.0, "y": 2.0}, {"x": -1.0, "y": -2.0}]}')
    return folder
