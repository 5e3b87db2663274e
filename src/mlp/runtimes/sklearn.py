"""scikit-learn: a fitted estimator or pipeline in model.joblib; optionally ``preprocess`` in model.py.

The estimator receives a frame where it was fitted with one (it then knows ``feature_names_in_``), else a matrix.
The file is a pickle: it runs code while it loads, and is bound to the versions that wrote it.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import MissingExtra, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.base import Described, LoadedModel
from mlp.runtimes.boosting import take_encoder_out
from mlp.runtimes.encoders import known_categories
from mlp.runtimes.frames import FrameBuilder
from mlp.runtimes.guard import GuardedModel
from mlp.runtimes.inputs import check_count, float_matrix, in_model_order, is_number, matrix_of_frame, own_code_input
from mlp.runtimes.source import OwnCode, explained, find_preprocess, importing_from
from mlp.signature import Batch, DType, Signature, Task
from mlp.signature.batch import Array
from mlp.signature.fields import Scalar

MODEL_FILE = "model.joblib"

#: Estimators whose ``predict`` is the most probable class of ``predict_proba`` (scikit-learn 1.5 to 1.9 and
#: LightGBM 4.5 to 4.7, read in their sources), so that one call gives both. The acceptance run compares the two.
_LABEL_IS_MOST_PROBABLE = frozenset(
    {
        ("sklearn", "LogisticRegression"),
        ("sklearn", "HistGradientBoostingClassifier"),
        ("sklearn", "GradientBoostingClassifier"),
        ("sklearn", "RandomForestClassifier"),
        ("sklearn", "ExtraTreesClassifier"),
        ("sklearn", "DecisionTreeClassifier"),
        ("lightgbm", "LGBMClassifier"),
    }
)
#: Steps that make an array of a frame before they do anything else, and never look at its names again.
_INDIFFERENT_TO_NAMES = frozenset(
    {
        *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "PolynomialFeatures"),
        *("PowerTransformer", "QuantileTransformer", "SimpleImputer", "PCA"),
        *("LogisticRegression", "LinearRegression", "Ridge", "RidgeClassifier", "Lasso", "ElasticNet"),
        *("SGDClassifier", "SGDRegressor", "LinearSVC", "LinearSVR", "SVC", "SVR", "GaussianNB"),
        *("KNeighborsClassifier", "KNeighborsRegressor", "MLPClassifier", "MLPRegressor"),
        *("DecisionTreeClassifier", "DecisionTreeRegressor", "RandomForestClassifier", "RandomForestRegressor"),
        *("ExtraTreesClassifier", "ExtraTreesRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor"),
        *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    }
)
#: Probabilities closer than this are left to ``predict``: it decides before they are rounded.
_TIE = 1e-9


class SklearnRuntime:
    """Loads model.joblib."""

    name = "sklearn"

    def describe(self, folder: Path) -> Described:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator, code = _load(folder)
        if code is not None:
            code.close()
        return Described(
            signature=_described_signature(estimator),
            trained_with=_trained_with([item.message for item in caught]),
            input_names=feature_names(estimator),
            input_count=getattr(estimator, "n_features_in_", None),
            categories=known_categories(estimator),
        )

    def load(self, folder: Path, signature: Signature, threads: int) -> LoadedModel:
        estimator, code = _load(folder)
        _set_threads(estimator, threads)
        assemble = _assembler(estimator, signature, None if code is None else code.find("preprocess"))
        call = _caller(estimator)
        return GuardedModel(
            signature, folder, threads, lambda batch: call(assemble(batch)), None if code is None else code.close
        )


def _load(folder: Path) -> tuple[Any, OwnCode | None]:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise VersionRefused(f"the folder has no {MODEL_FILE}, which the runtime sklearn loads")
    try:
        import joblib
        import sklearn  # noqa: F401 - a pickle may say only "No module named 'sklearn'"
    except ImportError as error:
        raise MissingExtra('a scikit-learn model needs scikit-learn: pip install "mlp-stack[sklearn]"') from error
    with importing_from(folder):
        code, _ = find_preprocess(folder)
        try:
            estimator = joblib.load(path)
        except (Exception, SystemExit) as error:
            if code is not None:
                code.close()
            raise VersionRefused(f"{MODEL_FILE} does not load: {explained(error, folder)}") from error
    if not callable(getattr(estimator, "predict", None)):
        raise VersionRefused(f"{MODEL_FILE} holds a {type(estimator).__name__}, which has no predict")
    return estimator, code


def _trained_with(messages: list[Warning | str]) -> dict[str, str]:
    """The scikit-learn that wrote the pickle, which it says where another one reads it."""
    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    for message in messages:
        if isinstance(message, InconsistentVersionWarning):
            return {"scikit-learn": str(message.original_sklearn_version)}
    return {"scikit-learn": sklearn.__version__}


def feature_names(estimator: Any) -> tuple[str, ...] | None:
    """Names of the columns that the estimator was fitted with; None where it was fitted with a plain matrix."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None
    known = tuple(map(str, names))
    # LightGBM names the columns of a plain matrix itself.
    return None if known == tuple(f"Column_{index}" for index in range(len(known))) else known


def _classes(estimator: Any) -> tuple[Scalar, ...] | None:
    classes = getattr(estimator, "classes_", None)
    if classes is None or getattr(classes, "ndim", 0) != 1:  # a list of arrays: several labels a row
        return None
    return tuple(classes.tolist())


def _described_signature(estimator: Any) -> Signature | None:
    from sklearn.base import is_outlier_detector, is_regressor

    unknown = Signature(Task.TENSORS, inputs=())
    classes = _classes(estimator)
    if classes is not None:
        return with_classes(unknown, classes, has_probabilities=hasattr(estimator, "predict_proba"))
    if is_outlier_detector(estimator):
        return with_classes(unknown, (-1, 1), has_probabilities=False)
    if _is_clusterer(estimator):
        return with_classes(unknown, None, has_probabilities=False)
    return Signature(Task.REGRESSION, inputs=()) if is_regressor(estimator) else None


def _is_clusterer(estimator: Any) -> bool:
    try:
        from sklearn.base import is_clusterer
    except ImportError:  # before scikit-learn 1.6
        return getattr(estimator, "_estimator_type", None) == "clusterer"
    return bool(is_clusterer(estimator))


def _set_threads(estimator: Any, threads: int) -> None:
    """Make scikit-learn's own estimators run in one thread, others in the given number.

    ``n_jobs`` of scikit-learn adds the answers of trees in the order in which its threads end, so that their last
    bits change from call to call, and starting the threads costs more than a small batch does.
    """
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    for name, value in parameters.items():
        if value is None or name.rpartition("__")[2] != "n_jobs":
            continue
        owner = parameters[name.rpartition("__")[0]] if "__" in name else estimator
        owner.set_params(n_jobs=1 if type(owner).__module__.startswith("sklearn.") else threads)


def _assembler(estimator: Any, signature: Signature, preprocess: Any) -> Callable[[Batch], Any]:
    """The function that makes what the estimator was fitted with: a frame, a matrix, texts, or own code's choice."""
    inputs = signature.inputs
    if preprocess is not None:
        build = own_code_input(signature)
        return lambda batch: preprocess(build(batch))
    names = feature_names(estimator)
    if names is not None:
        ordered = in_model_order(names, inputs)
        if all(is_number(item) and item.dtype is not DType.BOOL for item in ordered) and _forget_names(estimator):
            return matrix_of_frame(ordered)
        encoded = take_encoder_out(estimator, ordered)
        if encoded is not None:
            return encoded
        return FrameBuilder(ordered, is_masked=False, needed_by="a model fitted with a data frame").build
    only = inputs[0].name if len(inputs) == 1 else ""
    features_count = getattr(estimator, "n_features_in_", None)
    if only and (inputs[0].shape or (inputs[0].dtype is DType.STRING and features_count is None)):
        return lambda batch: np.array(batch.columns[only])
    if features_count is not None:
        check_count(features_count, inputs)
    if all(is_number(item) for item in inputs):
        as_floats = float_matrix(inputs)
        return lambda batch: as_floats(batch) if batch.matrix is None else batch.matrix.copy()
    return _object_matrix


def _forget_names(estimator: Any) -> bool:
    """Whether the estimator now takes the bare matrix that it would make of a frame: a quarter of the time for one row.

    It is our own copy, just unpickled; what it answers stays the same to the last bit.
    """
    from sklearn import get_config

    steps = [step for _, step in estimator.steps] if type(estimator).__name__ == "Pipeline" else [estimator]
    if get_config()["transform_output"] != "default" or not all(map(_is_indifferent_to_names, steps)):
        return False
    for step in steps:
        vars(step).pop("feature_names_in_", None)
    return True


def _is_indifferent_to_names(step: Any) -> bool:
    kind = type(step)
    is_known = kind.__module__.startswith("sklearn.") and kind.__name__ in _INDIFFERENT_TO_NAMES
    # Set by set_output("pandas"), and by gradient boosting that was fitted with category columns.
    makes_frames = hasattr(step, "_sklearn_output_config") or getattr(step, "_preprocessor", None) is not None
    return is_known and not makes_frames


def _object_matrix(batch: Batch) -> Array:
    matrix = np.empty((batch.rows, len(batch.columns)), dtype=object)
    for position, (name, column) in enumerate(batch.columns.items()):
        matrix[:, position] = column
        if name in batch.nulls:
            matrix[batch.nulls[name], position] = None
    return matrix


def _caller(estimator: Any) -> Callable[[Any], Any]:
    """The function that asks the estimator: for probabilities and labels where it has both, else for its answer."""
    classes = _classes(estimator)
    if classes is None or not hasattr(estimator, "predict_proba"):
        ask_for_answer: Callable[[Any], Any] = estimator.predict
        return ask_for_answer
    predict, predict_proba = estimator.predict, estimator.predict_proba
    if not _label_is_most_probable(estimator):
        return lambda features: {"label": predict(features), "probabilities": predict_proba(features)}
    labels = estimator.classes_

    def ask(features: Any) -> dict[str, Array]:
        probabilities = predict_proba(features)
        if _has_tie(probabilities):
            return {"label": predict(features), "probabilities": probabilities}
        return {"label": labels[probabilities.argmax(axis=1)], "probabilities": probabilities}

    return ask


def _label_is_most_probable(estimator: Any) -> bool:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return (type(last).__module__.partition(".")[0], type(last).__name__) in _LABEL_IS_MOST_PROBABLE


def _has_tie(probabilities: Array) -> bool:
    if probabilities.shape[1] == 2:
        return bool((np.abs(probabilities[:, 0] - probabilities[:, 1]) < _TIE).any())
    highest = np.partition(probabilities, -2, axis=1)
    return bool((highest[:, -1] - highest[:, -2] < _TIE).any())
