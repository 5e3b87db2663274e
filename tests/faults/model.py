"""The model of the harness: says what it was asked, and a number that no other execution says."""

import random
from pathlib import Path
from typing import Any

#: Quick and slow jobs are of two models: neighbours run together, and a quick one would be as slow as the slowest.
NAME, SLOW_NAME = "witness", "witness-slow"

_TOML = """
[model]
runtime = "python"
task = "tensors"

[inputs]
number = "int64"
sleep_ms = "int64"

[outputs]
number = "int64"
nonce = "int64"
"""

_CODE = """
import os
import secrets
import time

import numpy as np


def load(folder):
    return os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)


def predict(log, frame):
    numbers = frame["number"].to_numpy()
    nonces = np.array([secrets.randbits(48) for _ in numbers], dtype=np.int64)
    pid = os.getpid()
    # One write: lines of several processes do not mix (write(2) with O_APPEND).
    os.write(log, "".join(f"{{n}} {{k}} {{pid}}\\n" for n, k in zip(numbers, nonces)).encode())
    time.sleep(frame["sleep_ms"].max() / 1000)
    return {{"number": numbers, "nonce": nonces}}
"""

_OFTEN_MILLISECONDS = (1, 15)
_SOMETIMES_MILLISECONDS = (15, 50)
_RARELY_MILLISECONDS = (50, 3000)
_LONG_MILLISECONDS = 8000


def write_model(folder: Path, log: Path) -> Path:
    """A model folder whose model appends number, nonce and process of each execution to the log."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlp.toml").write_text(_TOML, encoding="utf-8")
    (folder / "model.py").write_text(_CODE.format(log=str(log)), encoding="utf-8")
    (folder / "example.json").write_text('{"rows": [{"number": -1, "sleep_ms": 0}]}', encoding="utf-8")
    return folder


def quick_milliseconds(source: random.Random) -> int:
    """How long most jobs take."""
    return source.randint(*(_OFTEN_MILLISECONDS if source.random() < 0.85 else _SOMETIMES_MILLISECONDS))


def slow_milliseconds(source: random.Random) -> int:
    """How long a few jobs take: up to seconds, and now and then long enough to be cut."""
    return _LONG_MILLISECONDS if source.random() < 0.1 else source.randint(*_RARELY_MILLISECONDS)


def row_of(number: int, sleep_ms: int) -> dict[str, Any]:
    """The input of a job."""
    return {"number": number, "sleep_ms": sleep_ms}
