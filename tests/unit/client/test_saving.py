"""Models in the files of their runtimes, and pickles that no server could load."""

import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnx
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlp.client.saving import saved_file, saved_object
from mlp.errors import BadInput, CannotCapture
from tests.unit.client.conftest import Notebook

FEATURES = np.arange(20.0).reshape(10, 2)
LABELS = np.arange(10) > 4


@pytest.fixture
def main_function(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that pickling finds in ``__main__``, as one of a notebook is."""
    notebook.run("def prepare(frame):\n    return frame\n")
    monkeypatch.setattr(sys.modules["__main__"], "prepare", notebook["prepare"], raising=False)
    return notebook["prepare"]


def test_pipeline_becomes_a_joblib_file(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FEATURES, LABELS)

    saved = saved_object(model, tmp_path)

    assert (saved.runtime, saved.file_name, saved.task) == ("sklearn", "model.joblib", "classification")
    assert isinstance(saved.content, Path)
    assert np.array_equal(joblib.load(saved.content).predict(FEATURES), model.predict(FEATURES))
    assert "sklearn.pipeline" in saved.modules


@pytest.mark.parametrize(("model", "task"), [(LinearRegression(), "regression"), (KMeans(2), None)])
def test_task_is_that_of_the_estimator(tmp_path: Path, model: Any, task: str | None) -> None:
    assert saved_object(model.fit(FEATURES, LABELS), tmp_path).task == task


def test_estimator_of_lightgbm_is_saved_like_one_of_sklearn(tmp_path: Path) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(FEATURES, LABELS)

    saved = saved_object(model, tmp_path)

    assert (saved.runtime, saved.task) == ("sklearn", "classification")
    assert "lightgbm.sklearn" in saved.modules


def test_booster_becomes_its_text(tmp_path: Path) -> None:
    dataset = lightgbm.Dataset(FEATURES, LABELS)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 1}, dataset, 2)

    saved = saved_object(booster, tmp_path)

    assert (saved.runtime, saved.file_name) == ("lightgbm", "model.txt")
    assert isinstance(saved.content, bytes)
    assert saved.content.startswith(b"tree\n")


def test_onnx_model_becomes_its_bytes(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([], "empty", [], [])
    model = onnx.helper.make_model(graph)

    saved = saved_object(model, tmp_path)

    assert (saved.runtime, saved.file_name, saved.content) == ("onnx", "model.onnx", model.SerializeToString())


@pytest.mark.parametrize("model", [object(), {}, LogisticRegression, StandardScaler().fit(FEATURES), None])
def test_what_is_no_model_is_refused(tmp_path: Path, model: Any) -> None:
    with pytest.raises(BadInput, match="is not a model that can be registered"):
        saved_object(model, tmp_path)


def test_model_that_is_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="this Pipeline is not fitted: call fit first"):
        saved_object(make_pipeline(StandardScaler(), LogisticRegression()), tmp_path)


def test_notebook_function_in_a_pipeline_is_named_with_its_parameter(tmp_path: Path, main_function: Any) -> None:
    model = make_pipeline(FunctionTransformer(main_function), LogisticRegression()).fit(FEATURES, LABELS)

    with pytest.raises(CannotCapture) as raised:
        saved_object(model, tmp_path)

    (obstacle,) = raised.value.extra["obstacles"]
    assert (obstacle["name"], obstacle["used_by"]) == ("prepare", "functiontransformer__func")
    assert "it is defined in your notebook or script" in obstacle["reason"]
    assert "preprocess=" in obstacle["remedy"]


def test_lambda_in_a_pipeline_is_named_with_its_parameter(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda frame: frame), LogisticRegression()).fit(FEATURES, LABELS)

    with pytest.raises(CannotCapture, match="functiontransformer__func: a lambda cannot be pickled; hand the function"):
        saved_object(model, tmp_path)


def test_open_resource_in_a_model_is_named(tmp_path: Path) -> None:
    model = LogisticRegression().fit(FEATURES, LABELS)
    model.lock_ = open(tmp_path / "log", "w")  # noqa: SIM115 - it must be open while the model is saved

    with model.lock_, pytest.raises(CannotCapture, match="LogisticRegression: it cannot be pickled"):
        saved_object(model, tmp_path)


@pytest.mark.parametrize(
    ("name", "runtime", "file_name"),
    [
        ("a.joblib", "sklearn", "model.joblib"),
        ("b.pkl", "sklearn", "model.joblib"),
        ("c.ONNX", "onnx", "model.onnx"),
        ("d.txt", "lightgbm", "model.txt"),
    ],
)
def test_file_is_recognised_by_its_ending(tmp_path: Path, name: str, runtime: str, file_name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(StandardScaler()))

    saved = saved_file(path)

    assert (saved.runtime, saved.file_name, saved.content, saved.was_made_here) == (runtime, file_name, path, False)


def test_file_of_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a folder, or a file that ends in \.joblib"):
        saved_file(tmp_path / "model.h5")


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no file"):
        saved_file(tmp_path / "model.joblib")


def test_file_with_a_notebook_function_is_refused(tmp_path: Path, main_function: Any) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(FunctionTransformer(main_function), path)

    with pytest.raises(CannotCapture, match=r"model\.joblib cannot be captured:\n  - prepare: a pickle holds only"):
        saved_file(path)


def test_file_with_a_local_module_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "near_model.py").write_text("class Model:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import near_model  # type: ignore[import-not-found]

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(near_model.Model()))

    with pytest.raises(CannotCapture, match=r"Model: .* the module near_model is not installed but lies beside"):
        saved_file(path)

    sys.modules.pop("near_model", None)


def test_bytecode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"ccloudpickle.cloudpickle\n_make_function\n(tR.")  # as cloudpickle writes a lambda, in short

    with pytest.raises(CannotCapture, match="pickled as bytecode by cloudpickle, which only one Python can run"):
        saved_file(path)
