"""Categories that a fitted model knows of its columns."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlp.runtimes.encoders import known_categories
from mlp.signature import DType, Field

_FRAME = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0] * 5, "plan": ["b", "a", "b", "a"] * 5, "size": [1, 2, 1, 2] * 5})
_TARGET = np.array([0, 1, 0, 1] * 5)


def _field(unknown: Any) -> Field:
    return Field("plan", DType.CATEGORY, categories=("a", "b"), unknown=unknown)


@pytest.mark.parametrize("columns", [["plan"], [1], slice(1, 2), [False, True, False], make_column_selector("^plan$")])
def test_columns_of_an_encoder_are_found_however_they_are_chosen(columns: Any) -> None:
    transformer = make_column_transformer((OneHotEncoder(), columns), ("drop", ["n"])).fit(_FRAME)

    assert known_categories(transformer) == {"plan": _field("refuse")}


@pytest.mark.parametrize(
    ("encoder", "unknown"),
    [
        (OneHotEncoder(), "refuse"),
        (OneHotEncoder(handle_unknown="ignore"), "count"),
        (OrdinalEncoder(), "refuse"),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "count"),
    ],
)
def test_unknown_values_are_counted_where_the_encoder_accepts_them(encoder: Any, unknown: str) -> None:
    pipeline = make_pipeline(make_column_transformer((make_pipeline(encoder), ["plan", "size"])), LogisticRegression())

    pipeline.fit(_FRAME, _TARGET)

    assert known_categories(pipeline) == {"plan": _field(unknown)}  # the sizes are numbers, and no categories of text


def test_gradient_boosting_knows_its_category_columns() -> None:
    frame = _FRAME.assign(plan=pd.Categorical(_FRAME["plan"]))

    estimator = HistGradientBoostingClassifier(max_iter=1, categorical_features="from_dtype").fit(frame, _TARGET)

    assert known_categories(estimator) == {"plan": _field("count")}


def test_best_estimator_of_a_search_is_asked() -> None:
    pipeline = make_pipeline(make_column_transformer((OneHotEncoder(), ["plan"])), LogisticRegression())

    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2).fit(_FRAME, _TARGET)

    assert known_categories(search) == {"plan": _field("refuse")}


def test_missing_values_among_the_categories_leave_a_column_as_text() -> None:
    frame = _FRAME.assign(plan=_FRAME["plan"].mask(_FRAME["n"] == 1.0))

    estimator = make_column_transformer((OneHotEncoder(), ["plan"])).fit(frame)

    assert known_categories(estimator) == {}


def test_estimator_without_encoders_knows_none() -> None:
    assert known_categories(StandardScaler().fit(_FRAME[["n"]])) == {}
    assert known_categories(StandardScaler().fit(_FRAME[["n"]].to_numpy())) == {}
