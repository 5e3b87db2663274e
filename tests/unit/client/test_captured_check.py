"""Captured source runs alone and makes the same frame."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from mlp.client.captured_check import check_same_frame, running
from mlp.errors import BadInput, CannotCapture

FRAME = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
DOUBLE = "def preprocess(frame):\n    return frame.assign(a=frame['a'] * 2)\n"


def double(frame: Any) -> Any:
    return frame.assign(a=frame["a"] * 2)


def test_source_runs_in_a_module_of_its_own_that_is_gone_afterwards() -> None:
    with running("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int' = 1\n", "preprocess") as module:
        name = module.__name__
        assert sys.modules[name] is module
        assert module.A().x == 1

    assert name not in sys.modules


@pytest.mark.parametrize("source", ["1 / 0\n", "def f(:\n", "import no_such_module_anywhere\n"])
def test_source_that_does_not_run_is_refused(source: str) -> None:
    with pytest.raises(CannotCapture, match="does not run on its own"), running(source, "preprocess"):
        pass


def test_same_frame_is_returned_and_the_example_left_as_it_is() -> None:
    frame = FRAME.copy()

    made = check_same_frame(DOUBLE, "preprocess", double, frame)

    pd.testing.assert_frame_equal(made, double(FRAME))
    pd.testing.assert_frame_equal(frame, FRAME)


def test_function_that_writes_into_its_frame_is_compared_fairly() -> None:
    def grow(frame: Any) -> Any:
        frame["a"] = frame["a"] + 1
        return frame

    source = "def preprocess(frame):\n    frame['a'] = frame['a'] + 1\n    return frame\n"

    assert check_same_frame(source, "preprocess", grow, FRAME)["a"].tolist()[0] == 2.0


@pytest.mark.parametrize(
    "source",
    [
        "def preprocess(frame):\n    return frame\n",
        "def preprocess(frame):\n    return frame.assign(a=(frame['a'] * 2).astype('float32'))\n",
        "def preprocess(frame):\n    return frame.assign(a=frame['a'] * 2).rename(columns={'a': 'c'})\n",
        "def preprocess(frame):\n    return frame.to_numpy()\n",
    ],
)
def test_another_frame_is_refused(source: str) -> None:
    with pytest.raises(CannotCapture, match="makes another frame of the example than the original"):
        check_same_frame(source, "preprocess", double, FRAME)


def test_random_function_is_refused_with_its_cause() -> None:
    source = "import random\ndef preprocess(frame):\n    return frame.assign(a=random.random())\n"
    namespace: dict[str, Any] = {}
    exec(source, namespace)

    with pytest.raises(CannotCapture, match="the result is random"):
        check_same_frame(source, "preprocess", namespace["preprocess"], FRAME)


def test_failure_of_the_captured_source_alone_is_named() -> None:
    with pytest.raises(CannotCapture, match="fails on the example where the original does not: NameError"):
        check_same_frame("def preprocess(frame):\n    return missing\n", "preprocess", double, FRAME)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda frame: frame["nope"], "preprocess fails on the example: KeyError: 'nope'"),
        (lambda _frame: None, "preprocess returned None for the example: does it lack its return statement"),
    ],
)
def test_function_that_fails_itself_is_bad_input(function: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_same_frame(DOUBLE, "preprocess", function, FRAME)


@pytest.mark.parametrize(("module", "maker"), [(np, "asarray"), (scipy.sparse, "csr_matrix")])
def test_matrices_are_compared(module: Any, maker: str) -> None:
    source = f"from {module.__name__} import {maker}\ndef preprocess(frame):\n    return {maker}(frame[['a']])\n"

    made = check_same_frame(source, "preprocess", lambda frame: getattr(module, maker)(frame[["a"]]), FRAME)

    assert made.shape == (2, 1)


def test_source_without_an_original_is_only_run() -> None:
    assert check_same_frame(DOUBLE, "preprocess", None, FRAME)["a"].tolist()[0] == 2.0
