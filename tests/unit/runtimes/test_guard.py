"""What a framework raises, warns and returns is kept in order."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlp.errors import BadInput, ModelFailed, ModelNotReady
from mlp.runtimes.guard import GuardedModel
from mlp.signature import Batch, DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_SIGNATURE = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64),))
_BATCH = from_rows(_SIGNATURE, [(1.0,), (2.0,)])


def _raising(error: BaseException) -> GuardedModel:
    def answer(_batch: Batch) -> Any:
        raise error

    return GuardedModel(_SIGNATURE, Path(), 1, answer)


def test_answers_are_read_as_the_signature_says() -> None:
    model = GuardedModel(_SIGNATURE, Path(), 1, lambda batch: batch.columns["x"] * 2)

    assert model.predict(_BATCH)["value"].tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("odd"), "the model's code failed: ValueError: odd"),
        (MemoryError(), "the model's code failed: MemoryError"),
        (SystemExit(3), r"the model's code failed: called exit\(3\)"),
        (SystemExit(), r"the model's code failed: called exit\(\)"),
    ],
)
def test_errors_of_the_model_s_code_become_model_failed(error: BaseException, said: str) -> None:
    with pytest.raises(ModelFailed, match=f"^{said}$") as caught:
        _raising(error).predict(_BATCH)

    assert caught.value.__cause__ is error


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(BadInput, match="ours"):
        _raising(BadInput("ours")).predict(_BATCH)


def test_an_interrupt_passes_as_it_is() -> None:
    with pytest.raises(KeyboardInterrupt):
        _raising(KeyboardInterrupt()).predict(_BATCH)


def test_closed_model_frees_what_it_held_and_answers_no_more() -> None:
    closed: list[bool] = []
    model = GuardedModel(_SIGNATURE, Path(), 1, lambda batch: np.zeros(batch.rows), lambda: closed.append(True))

    model.close()

    assert closed == [True]
    with pytest.raises(ModelNotReady, match="put away"):
        model.predict(_BATCH)


def test_filters_of_warnings_do_not_grow_with_each_model() -> None:
    GuardedModel(_SIGNATURE, Path(), 1, lambda batch: batch)
    before = len(warnings.filters)

    GuardedModel(_SIGNATURE, Path(), 1, lambda batch: batch)

    assert len(warnings.filters) == before
