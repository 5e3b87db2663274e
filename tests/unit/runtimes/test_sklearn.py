"""scikit-learn: what an estimator receives, what is asked of it, and what it knows of itself."""

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mlp.errors import ModelFailed, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.frames import FrameBuilder
from mlp.runtimes.sklearn import SklearnRuntime
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_NUMBERS = tuple(Field(f"f{index}", DType.FLOAT64) for index in range(30))
_TABLE = (
    Field("age", DType.INT64),
    Field("income", DType.FLOAT64, nullable=True),
    Field("plan", DType.CATEGORY, categories=("basic", "plus", "pro"), unknown="count"),
)


def _numbers(rows: int = 200) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    random = np.random.default_rng(7)
    features = pd.DataFrame(random.normal(size=(rows, 30)), columns=[item.name for item in _NUMBERS])
    return features, (features["f0"] + features["f1"] * features["f2"] > 0).to_numpy()


def _table(rows: int = 200) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    random = np.random.default_rng(7)
    features = pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": np.where(random.random(rows) < 0.1, np.nan, random.normal(50, 10, rows)),
            "plan": pd.Categorical(random.choice(["basic", "plus", "pro"], rows), categories=["basic", "plus", "pro"]),
        }
    )
    return features, (features["age"] > 50).to_numpy()


def _signature(inputs: Sequence[Field], classes: tuple[Any, ...] | None = (False, True)) -> Signature:
    bare = Signature(Task.REGRESSION, tuple(inputs))
    return bare if classes is None else with_classes(bare, classes, has_probabilities=True)


def _saved(estimator: Any, folder: Path) -> Path:
    joblib.dump(estimator, folder / "model.joblib")
    return folder


def _rows(frame: pd.DataFrame, rows: int) -> list[tuple[Any, ...]]:
    head = frame.head(rows)
    columns = [[None if value != value else value for value in head[name].tolist()] for name in head.columns]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(SimpleImputer(), PCA(5), SVC()),
        GaussianNB(),
        RandomForestClassifier(5),
        HistGradientBoostingClassifier(max_iter=3),
    ],
    ids=lambda estimator: type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__,
)
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_answers_are_bit_equal_to_the_estimator_called_on_the_frame(tmp_path: Path, estimator: Any, rows: int) -> None:
    features, target = _numbers()
    estimator.fit(features, target)
    batch = from_rows(_signature(_NUMBERS), _rows(features, rows))
    frame = FrameBuilder(_NUMBERS, is_masked=False, needed_by="test").build(batch)

    outputs = SklearnRuntime().load(_saved(estimator, tmp_path), _signature(_NUMBERS), 1).predict(batch)

    assert outputs["label"].tolist() == estimator.predict(frame).tolist()
    if hasattr(estimator, "predict_proba"):
        assert np.array_equal(outputs["probabilities"], estimator.predict_proba(frame))


def test_estimator_with_category_columns_gets_a_frame_of_exactly_these_types(tmp_path: Path) -> None:
    features, target = _table()
    estimator = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(features, target)
    batch = from_rows(_signature(_TABLE), [*_rows(features, 20), (30, None, "unheard of")])

    outputs = SklearnRuntime().load(_saved(estimator, tmp_path), _signature(_TABLE), 1).predict(batch)

    frame = FrameBuilder(_TABLE, is_masked=False, needed_by="test").build(batch)
    assert np.array_equal(outputs["probabilities"], estimator.predict_proba(frame))
    assert np.array_equal(outputs["probabilities"][:20], estimator.predict_proba(features.head(20)))


def test_inputs_in_another_order_than_the_columns_are_put_in_order(tmp_path: Path) -> None:
    features, target = _table()
    estimator = make_pipeline(SimpleImputer(), LinearRegression()).fit(features[["age", "income"]], target)
    turned = _signature((_TABLE[1], _TABLE[0]), None)

    outputs = SklearnRuntime().load(_saved(estimator, tmp_path), turned, 1).predict(from_rows(turned, [(50.0, 40)]))

    assert outputs["value"].tolist() == estimator.predict(pd.DataFrame({"age": [40], "income": [50.0]})).tolist()


def test_estimator_fitted_on_a_matrix_gets_a_matrix_of_its_own(tmp_path: Path) -> None:
    features, target = _numbers()
    scaler = StandardScaler(copy=False)
    estimator = make_pipeline(scaler, Ridge()).fit(features.to_numpy().copy(), target)
    batch = from_rows(_signature(_NUMBERS, None), _rows(features, 3))
    before = np.array(batch.matrix)

    SklearnRuntime().load(_saved(estimator, tmp_path), _signature(_NUMBERS, None), 1).predict(batch)

    assert np.array_equal(np.array(batch.matrix), before)


def test_matrix_of_nullable_integers_holds_nan(tmp_path: Path) -> None:
    inputs = (Field("a", DType.INT64, nullable=True), Field("b", DType.BOOL))
    estimator = make_pipeline(SimpleImputer(), LinearRegression()).fit([[1.0, 0], [3.0, 1]], [1.0, 3.0])
    signature = _signature(inputs, None)

    outputs = (
        SklearnRuntime().load(_saved(estimator, tmp_path), signature, 1).predict(from_rows(signature, [(None, True)]))
    )

    assert outputs["value"].tolist() == estimator.predict([[np.nan, 1.0]]).tolist()


def test_text_model_gets_the_texts(tmp_path: Path) -> None:
    texts = ["good film", "bad film", "good", "bad"]
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["pos", "neg", "pos", "neg"])
    signature = _signature((Field("text", DType.STRING),), ("neg", "pos"))

    outputs = (
        SklearnRuntime().load(_saved(estimator, tmp_path), signature, 1).predict(from_rows(signature, [("good",)]))
    )

    assert outputs["label"].tolist() == ["pos"]


def test_label_of_a_tie_is_what_predict_says(tmp_path: Path) -> None:
    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    estimator.coef_, estimator.intercept_ = np.array([[0.0]]), np.array([1e-17])
    signature = _signature((Field("x", DType.FLOAT64),), (0, 1))

    outputs = SklearnRuntime().load(_saved(estimator, tmp_path), signature, 1).predict(from_rows(signature, [(0.0,)]))

    assert outputs["probabilities"].tolist() == [[0.5, 0.5]]
    assert outputs["label"].tolist() == estimator.predict([[0.0]]).tolist() == [1]


def test_parallel_trees_are_run_in_one_thread_so_that_their_sum_has_one_order(tmp_path: Path) -> None:
    features, target = _numbers()
    forest = RandomForestRegressor(40, n_jobs=4).fit(features, target)
    signature = _signature(_NUMBERS, None)
    batch = from_rows(signature, _rows(features, 30))
    model = SklearnRuntime().load(_saved(forest, tmp_path), signature, 4)

    answers = {model.predict(batch)["value"].tobytes() for _ in range(20)}

    assert answers == {forest.set_params(n_jobs=1).predict(features.head(30)).tobytes()}


def test_predicting_prints_no_warnings(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    features, target = _table()
    encoder = OneHotEncoder(handle_unknown="ignore", drop="first")  # warns of each unknown value
    estimator = make_pipeline(make_column_transformer((encoder, ["plan"])), LogisticRegression()).fit(features, target)
    model = SklearnRuntime().load(_saved(estimator, tmp_path), _signature(_TABLE), 1)

    model.predict(from_rows(_signature(_TABLE), [(30, None, "unheard of")]))

    assert [str(item.message) for item in recwarn] == []


def test_description_names_columns_classes_and_categories(tmp_path: Path) -> None:
    features, target = _table()
    frame = features.assign(plan=features["plan"].astype(str))
    encoder = OneHotEncoder(handle_unknown="ignore")
    transformer = make_column_transformer((encoder, ["plan"]), remainder="passthrough")
    estimator = make_pipeline(transformer, SimpleImputer(), LogisticRegression()).fit(
        frame, np.where(target, "yes", "no")
    )

    described = SklearnRuntime().describe(_saved(estimator, tmp_path))

    assert described.signature is not None
    assert (described.signature.task, described.signature.classes) == (Task.CLASSIFICATION, ("no", "yes"))
    assert described.input_names == ("age", "income", "plan")
    assert described.categories == {
        "plan": Field("plan", DType.CATEGORY, categories=("basic", "plus", "pro"), unknown="count")
    }


@pytest.mark.parametrize(
    ("estimator", "task", "classes"),
    [
        (LinearRegression(), Task.REGRESSION, None),
        (IsolationForest(n_estimators=2), Task.CLASSIFICATION, (-1, 1)),
        (KMeans(2, n_init=1), Task.CLASSIFICATION, None),
        (GaussianNB(), Task.CLASSIFICATION, (False, True)),
    ],
)
def test_description_tells_the_task(tmp_path: Path, estimator: Any, task: Task, classes: Any) -> None:
    features, target = _numbers(50)
    estimator.fit(features.to_numpy(), target)

    described = SklearnRuntime().describe(_saved(estimator, tmp_path))

    assert described.signature is not None
    assert (described.signature.task, described.signature.classes) == (task, classes)
    assert (described.input_names, described.input_count) == (None, 30)


def test_description_of_a_pickle_of_another_version_tells_that_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sklearn.base.__version__", "1.4.2")
        _saved(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path)

    described = SklearnRuntime().describe(tmp_path)

    assert described.trained_with == {"scikit-learn": "1.4.2"}


def test_categories_of_lightgbm_in_a_pickle_are_known(tmp_path: Path) -> None:
    features, target = _table()
    estimator = LGBMClassifier(n_estimators=2, verbose=-1).fit(features, target)

    described = SklearnRuntime().describe(_saved(estimator, tmp_path))

    assert described.categories["plan"].categories == ("basic", "plus", "pro")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (_NUMBERS[1:], "the model was trained with 'f0', which the signature lacks"),
        ((*_NUMBERS, Field("churned", DType.BOOL)), "the model was not trained with 'churned': take it out"),
    ],
)
def test_signature_with_other_columns_than_the_model_is_refused(
    tmp_path: Path, inputs: Sequence[Field], said: str
) -> None:
    features, target = _numbers(50)
    folder = _saved(Ridge().fit(features, target), tmp_path)

    with pytest.raises(VersionRefused, match=said):
        SklearnRuntime().load(folder, _signature(inputs, None), 1)


def test_signature_with_another_number_of_columns_is_refused(tmp_path: Path) -> None:
    folder = _saved(Ridge().fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]), tmp_path)

    with pytest.raises(VersionRefused, match=r"takes 2 inputs, its signature has 3 \('f0', 'f1', 'f2'\)"):
        SklearnRuntime().load(folder, _signature(_NUMBERS[:3], None), 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no pickle", "model.joblib does not load: "),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exit\x93K\x03\x85R.", r"model.joblib does not load: called exit\(3\)"),
        (b"\x80\x04\x8c\x08__main__\x8c\x08Notebook\x93.", "Define it in a module beside the model"),
        (b"\x80\x04K\x03.", "model.joblib holds a int, which has no predict"),
    ],
)
def test_pickle_that_does_not_load_is_refused_with_its_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "model.joblib").write_bytes(content)

    with pytest.raises(VersionRefused, match=said):
        SklearnRuntime().load(tmp_path, _signature(_NUMBERS), 1)


def test_pickle_that_refers_to_a_module_beside_it_loads(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "from sklearn.base import BaseEstimator\n"
        "class Doubler(BaseEstimator):\n"
        "    def predict(self, features):\n"
        "        return features[:, 0] * 2\n"
    )
    (tmp_path / "model.joblib").write_bytes(b"\x80\x04\x8c\x05steps\x8c\x07Doubler\x93)\x81.")
    signature = _signature((Field("x", DType.FLOAT64),), None)

    outputs = SklearnRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, [(1.5,), (2.0,)]))

    assert outputs["value"].tolist() == [3.0, 4.0]


def test_preprocess_beside_the_model_prepares_its_features(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "def preprocess(frame):\n    return frame.assign(hour=frame['at'].dt.hour)[['hour', 'calls']].fillna(0)\n"
    )
    hours = pd.DataFrame({"hour": np.array([0, 12], dtype="int32"), "calls": [1.0, 2.0]})
    folder = _saved(LinearRegression().fit(hours, [0.0, 1.0]), tmp_path)
    signature = _signature((Field("at", DType.DATETIME), Field("calls", DType.INT64, nullable=True)), None)
    batch = from_rows(signature, [(np.datetime64("2026-03-01T12:00", "us"), 2)])

    outputs = SklearnRuntime().load(folder, signature, 1).predict(batch)

    assert outputs["value"].tolist() == pytest.approx([1.0])


def test_preprocess_that_raises_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def preprocess(frame):\n    return frame['missing']\n")
    folder = _saved(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path)
    signature = _signature((Field("x", DType.FLOAT64),), None)
    model = SklearnRuntime().load(folder, signature, 1)

    with pytest.raises(ModelFailed, match=r"model\.py line 2, in preprocess: KeyError: 'missing'"):
        model.predict(from_rows(signature, [(1.0,)]))


def test_thread_limit_holds_in_the_thread_that_predicts(tmp_path: Path) -> None:
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    features, target = _numbers(50)
    signature = _signature(_NUMBERS)
    estimator = HistGradientBoostingClassifier(max_iter=2).fit(features, target)
    model = SklearnRuntime().load(_saved(estimator, tmp_path), signature, 1)
    seen: list[int] = []

    def predict() -> None:
        model.predict(from_rows(signature, _rows(features, 1)))
        seen.extend(pool["num_threads"] for pool in threadpool_info())

    thread = threading.Thread(target=predict)
    thread.start()
    thread.join(60)

    assert set(seen) == {1}


def test_warnings_of_other_code_are_not_hidden(tmp_path: Path) -> None:
    folder = _saved(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path)
    SklearnRuntime().load(folder, _signature((Field("x", DType.FLOAT64),), None), 1)

    with pytest.warns(UserWarning, match="still here"):
        warnings.warn("still here", UserWarning, stacklevel=1)
