"""Gradient boosting gets the matrix of its own encoder, and keeps the encoder where the two do not agree."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mlp.runtimes.boosting import take_encoder_out
from mlp.runtimes.frames import FrameBuilder
from mlp.signature import Batch, DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_INPUTS = (
    Field("age", DType.FLOAT64, nullable=True),
    Field("plan", DType.CATEGORY, categories=("plus", "basic", "pro"), unknown="count", nullable=True),
    Field("calls", DType.INT64, nullable=True),
    Field("town", DType.CATEGORY, categories=("Ulm", "Bonn")),
    Field("is_new", DType.BOOL),
)


def _frame(rows: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(2)
    plans = pd.Series(random.choice(["plus", "basic"], rows)).mask(random.random(rows) < 0.1)
    return pd.DataFrame(
        {
            "age": np.where(random.random(rows) < 0.1, np.nan, random.normal(40, 9, rows)),
            "plan": pd.Categorical(plans, categories=["plus", "basic", "pro"]),
            "calls": random.integers(0, 9, rows).astype(float),
            "town": pd.Categorical(random.choice(["Ulm", "Bonn"], rows), categories=["Ulm", "Bonn"]),
            "is_new": random.random(rows) > 0.5,
        }
    )


def _fitted(kind: Any) -> Any:
    frame = _frame()
    target = (frame["plan"] == "plus") * 5 + frame["calls"] + (frame["town"] == "Bonn") * 3
    is_classifier = kind is HistGradientBoostingClassifier
    return kind(max_iter=8, categorical_features="from_dtype").fit(frame, target > 6 if is_classifier else target)


def _batch() -> Batch:
    rows = [(41.5, "plus", 3, "Ulm", True), (None, None, None, "Bonn", False), (20.0, "gold", 8, "Bonn", True)]
    return from_rows(Signature(Task.REGRESSION, _INPUTS), [*rows, (20.0, "pro", 8, "Ulm", True)])


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_answers_are_bit_equal_with_and_without_the_encoder(kind: Any) -> None:
    estimator = _fitted(kind)
    frame = FrameBuilder(_INPUTS, is_masked=False, needed_by="test").build(_batch())
    before = estimator.predict(frame)

    build = take_encoder_out(estimator, _INPUTS)

    assert build is not None
    assert np.array_equal(estimator.predict(build(_batch())), before)


def test_estimator_whose_encoder_does_something_else_keeps_it() -> None:
    estimator = _fitted(HistGradientBoostingClassifier)
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    encoder.set_params(unknown_value=7.0)
    frame = FrameBuilder(_INPUTS, is_masked=False, needed_by="test").build(_batch())
    before = estimator.predict_proba(frame)

    assert take_encoder_out(estimator, _INPUTS) is None
    assert np.array_equal(estimator.predict_proba(frame), before)


@pytest.mark.parametrize(
    "inputs",
    [
        (*_INPUTS[:3], Field("town", DType.STRING), _INPUTS[4]),
        (Field("age", DType.DATETIME), *_INPUTS[1:]),
    ],
)
def test_inputs_of_another_type_than_the_features_leave_the_estimator_as_it_was(inputs: tuple[Field, ...]) -> None:
    estimator = _fitted(HistGradientBoostingClassifier)

    assert take_encoder_out(estimator, inputs) is None
    assert estimator._preprocessor is not None


def test_estimator_without_category_columns_has_no_encoder_to_take_out() -> None:
    frame = _frame()[["age", "calls"]]
    estimator = HistGradientBoostingClassifier(max_iter=2).fit(frame, frame["calls"] > 4)

    assert take_encoder_out(estimator, (_INPUTS[0], _INPUTS[2])) is None
