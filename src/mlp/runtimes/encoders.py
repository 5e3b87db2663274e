"""Categories that a fitted scikit-learn model knows: of its encoders, and of gradient boosting's own ones."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mlp.runtimes.boosting import KINDS, category_encoder, known_texts
from mlp.runtimes.inputs import plain_name
from mlp.runtimes.lightgbm import category_fields
from mlp.signature import DType, Field
from mlp.signature.fields import Unknown

_ENCODERS = ("OneHotEncoder", "OrdinalEncoder")
_MAY_ENCODE = (*_ENCODERS, "Pipeline", "ColumnTransformer")


def known_categories(estimator: Any) -> dict[str, Field]:
    """Category fields by column name, of the columns that meet an encoder first.

    Unknown values are counted where the encoder accepts them, else refused. Columns whose categories are not all
    text (numbers, missing) are left out.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return {}
    found: dict[str, Field] = {}
    _search(estimator, np.asarray(names), found)
    return found


def _search(estimator: Any, names: Any, found: dict[str, Field]) -> None:
    """Add the fields of the columns ``names`` that reach this estimator unchanged."""
    kind = type(estimator).__name__
    if kind == "Pipeline" and estimator.steps:
        _search(estimator.steps[0][1], names, found)
    elif kind == "ColumnTransformer":
        for _, transformer, columns in estimator.transformers_:
            # Looked at last: releases before 1.7 warn of how the remaining columns are named.
            if type(transformer).__name__ in _MAY_ENCODE:
                _search(transformer, _selected(names, columns), found)
    elif kind in _ENCODERS:
        accepts = getattr(estimator, "handle_unknown", "error") != "error"
        _add(names, map(_texts, estimator.categories_), "count" if accepts else "refuse", found)
    elif kind in KINDS:
        encoder = category_encoder(estimator)
        if encoder is not None:
            _add(names[estimator.is_categorical_], map(known_texts, encoder.categories_), "count", found)
    elif kind.startswith("LGBM") and len(names) == estimator.n_features_:
        known = category_fields(estimator.booster_)
        found.update((str(name), known[plain_name(name)]) for name in names if plain_name(name) in known)
    elif hasattr(estimator, "best_estimator_"):
        _search(estimator.best_estimator_, names, found)


def _selected(names: Any, columns: Any) -> Any:
    if isinstance(columns, str):
        return np.array([columns])
    if isinstance(columns, slice):
        return names[columns] if not isinstance(columns.start or columns.stop, str) else np.array([])
    chosen = np.asarray(columns)
    if chosen.dtype.kind in "OUT":
        return chosen
    return names[chosen if chosen.dtype == bool else chosen.astype(int)]


def _texts(values: Any) -> tuple[str, ...] | None:
    texts = tuple(values.tolist())
    return texts if all(isinstance(value, str) for value in texts) else None


def _add(
    names: Iterable[Any], categories: Iterable[tuple[str, ...] | None], unknown: Unknown, found: dict[str, Field]
) -> None:
    for name, texts in zip(names, categories, strict=True):
        if texts is not None:
            found[str(name)] = Field(str(name), DType.CATEGORY, categories=texts, unknown=unknown)
