"""What a model answers where it was made, in the form in which the acceptance run on the server compares it."""

from typing import Any

from mlp.errors import BadInput

Task = str
#: Values by output name: ``label`` and ``probabilities``, or ``value``.
Expected = dict[str, list[Any]]


def task_of(model: Any) -> Task | None:
    """The task of an estimator of scikit-learn's interface: classification, regression, or None for others."""
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(model):
        return "classification"
    return "regression" if is_regressor(model) else None


def expected_answers(model: Any, features: Any, task: Task | None) -> Expected | None:
    """The estimator's answers for the rows; None where they have a form that the server would name otherwise.

    Args:
        features: What the estimator's ``predict`` takes: a frame or matrix [rows, columns].

    Raises:
        BadInput: The estimator fails on the rows.
    """
    if task is None:
        return None
    matrix = _without_names(model, features)
    try:
        predicted = model.predict(matrix)
        probabilities = model.predict_proba(matrix) if hasattr(model, "predict_proba") else None
    except Exception as error:
        reason = _other_columns(model, features) or f"{type(error).__name__}: {error}"
        raise BadInput(f"the model fails on the example: {reason}") from error
    if getattr(predicted, "ndim", None) != 1:
        return None
    if task == "regression":
        return {"value": [float(value) for value in predicted.tolist()]}
    if probabilities is None or getattr(probabilities, "ndim", None) != 2:
        return {"label": predicted.tolist()}
    return {"label": predicted.tolist(), "probabilities": probabilities.tolist()}


def _other_columns(model: Any, features: Any) -> str | None:
    """How the columns differ from those that the model was fitted on, in words; None where they do not."""
    fitted = [str(name) for name in getattr(model, "feature_names_in_", ())]
    given = [str(name) for name in getattr(features, "columns", ())]
    if not fitted or not given or set(fitted) == set(given):
        return None
    return (
        f"it was fitted on the columns {', '.join(fitted)} and was given {', '.join(given)}: "
        "give it those, or say by preprocess=… how they are made"
    )


def booster_answers(booster: Any, features: Any) -> Expected:
    """The answers of a Booster of LightGBM for the rows, as the server derives them from its raw predictions.

    Raises:
        BadInput: The booster fails on the rows.
    """
    import numpy as np

    try:
        raw = np.asarray(booster.predict(features))
    except Exception as error:
        raise BadInput(f"the model fails on the example: {type(error).__name__}: {error}") from error
    if raw.ndim == 2:
        return {"probabilities": raw.tolist()}
    if booster.dump_model(num_iteration=1)["objective"].startswith("binary"):
        return {"probabilities": np.column_stack((1.0 - raw, raw)).tolist()}
    return {"value": raw.tolist()}


def _without_names(model: Any, features: Any) -> Any:
    """The bare matrix for an estimator that was fitted on one, as the server hands it over, too."""
    knows_columns = hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_")
    return features.to_numpy() if knows_columns and hasattr(features, "to_numpy") else features
