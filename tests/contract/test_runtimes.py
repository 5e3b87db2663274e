"""What every runtime promises, whatever its framework."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from mlp.errors import ModelFailed, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.base import Runtime
from mlp.runtimes.catalog import get_runtime, load_version
from mlp.signature import Batch, DType, Field, Outputs, Signature, Task
from mlp.signature.batch import cut, from_rows, join

_X = np.random.default_rng(11).normal(size=(80, 4)).astype(np.float32).astype(np.float64)
_Y = (_X[:, 0] > _X[:, 1]).astype(int)
_SIGNATURE = with_classes(
    Signature(Task.TENSORS, tuple(Field(name, DType.FLOAT64) for name in "abcd")), (0, 1), has_probabilities=True
)
_OWN_CODE = """\
import numpy as np
def load(folder):
    return np.array([1.0, -1.0, 0.5, 0.25])
def predict(model, frame):
    score = 1 / (1 + np.exp(-(frame.to_numpy() * model).sum(axis=1)))
    return np.column_stack([1 - score, score])
"""


def _write_sklearn(folder: Path) -> None:
    joblib.dump(LogisticRegression().fit(_X, _Y), folder / "model.joblib")


def _write_lightgbm(folder: Path) -> None:
    data = lightgbm.Dataset(_X, _Y, feature_name=list("abcd"))
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 5).save_model(folder / "model.txt")


def _write_onnx(folder: Path) -> None:
    estimator = LogisticRegression().fit(_X, _Y)
    model = to_onnx(estimator, _X[:1].astype(np.float32), options={id(estimator): {"zipmap": False}})
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def _write_python(folder: Path) -> None:
    (folder / "model.py").write_text(_OWN_CODE)


_WRITERS: dict[str, Callable[[Path], None]] = {
    "sklearn": _write_sklearn,
    "lightgbm": _write_lightgbm,
    "onnx": _write_onnx,
    "python": _write_python,
}
_FILES = {"sklearn": "model.joblib", "lightgbm": "model.txt", "onnx": "model.onnx", "python": "model.py"}


@pytest.fixture(params=list(_WRITERS))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return get_runtime(request.param)


@pytest.fixture
def folder(runtime: Runtime, tmp_path: Path) -> Path:
    _WRITERS[runtime.name](tmp_path)
    return tmp_path


def _batch(rows: int = 80) -> Batch:
    return from_rows(_SIGNATURE, [tuple(row) for row in _X[:rows].tolist()])


def _is_same(first: Outputs, second: Outputs) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def test_predict_returns_one_label_and_one_row_of_probabilities_for_each_row(runtime: Runtime, folder: Path) -> None:
    outputs = runtime.load(folder, _SIGNATURE, 1).predict(_batch())

    assert outputs["label"].shape == (80,)
    assert set(outputs["label"].tolist()) == {0, 1}
    assert outputs["probabilities"].shape == (80, 2)
    assert outputs["probabilities"].dtype == np.float64
    assert outputs["probabilities"].sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(outputs["label"], outputs["probabilities"].argmax(axis=1))


def test_predict_of_joined_batches_is_that_of_each_within_rounding(runtime: Runtime, folder: Path) -> None:
    model = runtime.load(folder, _SIGNATURE, 1)
    whole = _batch()
    parts = [whole.slice(0, 1), whole.slice(1, 30), whole.slice(30, 80)]

    joined = cut(model.predict(join(parts)), [part.rows for part in parts])

    for part, outputs in zip(parts, joined, strict=True):
        assert outputs["probabilities"] == pytest.approx(model.predict(part)["probabilities"], abs=2e-7)


def test_predict_leaves_its_batch_as_it_was(runtime: Runtime, folder: Path) -> None:
    batch = _batch()

    runtime.load(folder, _SIGNATURE, 1).predict(batch)

    assert np.array_equal(np.array(batch.matrix), _X)


def test_predict_gives_the_same_in_any_thread(runtime: Runtime, folder: Path) -> None:
    model = runtime.load(folder, _SIGNATURE, 1)
    here = model.predict(_batch())
    there: list[Outputs] = []

    thread = threading.Thread(target=lambda: there.append(model.predict(_batch())))
    thread.start()
    thread.join(60)

    assert _is_same(here, there[0])


def test_version_that_is_loaded_again_answers_the_same(runtime: Runtime, folder: Path) -> None:
    first = runtime.load(folder, _SIGNATURE, 1)
    before = first.predict(_batch())
    second = load_version(folder, _SIGNATURE, runtime.name, 2)
    first.close()

    assert _is_same(before, second.predict(_batch()))


def test_load_writes_nothing_into_the_folder(runtime: Runtime, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*")}

    runtime.describe(folder)
    runtime.load(folder, _SIGNATURE, 1).predict(_batch())

    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_model_needs_nothing_of_its_folder_once_it_is_loaded(runtime: Runtime, folder: Path) -> None:
    model = runtime.load(folder, _SIGNATURE, 1)
    shutil.rmtree(folder)

    assert model.predict(_batch(3))["label"].shape == (3,)


def test_folder_without_its_file_is_refused_by_name(runtime: Runtime, tmp_path: Path) -> None:
    file = _FILES[runtime.name]

    with pytest.raises(VersionRefused, match=f"no {file}, which the runtime {runtime.name} loads"):
        runtime.describe(tmp_path)
    with pytest.raises(VersionRefused, match=f"no {file}, which the runtime {runtime.name} loads"):
        runtime.load(tmp_path, _SIGNATURE, 1)


def test_damaged_file_is_refused(runtime: Runtime, folder: Path) -> None:
    (folder / _FILES[runtime.name]).write_bytes(b"\x00 damaged (")

    with pytest.raises(VersionRefused):
        runtime.load(folder, _SIGNATURE, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such plan')", "model.py line 3, in preprocess: ValueError: no such plan"),
        ("raise SystemExit(4)", r"model.py line 3, in preprocess: called exit\(4\)"),
    ],
)
def test_own_code_that_fails_while_predicting_is_told_with_type_text_and_line(
    runtime: Runtime, folder: Path, body: str, said: str
) -> None:
    own: Any = "\n" + f"def preprocess(frame):\n    {body}\n"
    (folder / "model.py").write_text(own + (_OWN_CODE if runtime.name == "python" else ""))
    model = runtime.load(folder, _SIGNATURE, 1)

    with pytest.raises(ModelFailed, match=said):
        model.predict(_batch())


def test_preprocess_stands_between_request_and_model(runtime: Runtime, folder: Path) -> None:
    plain = runtime.load(folder, _SIGNATURE, 1).predict(_batch())
    own = "def preprocess(frame):\n    return -frame\n" + (_OWN_CODE if runtime.name == "python" else "")
    (folder / "model.py").write_text(own)
    turned = runtime.load(folder, _SIGNATURE, 1)

    outputs = turned.predict(from_rows(_SIGNATURE, [tuple(row) for row in (-_X).tolist()]))

    assert outputs["probabilities"] == pytest.approx(plain["probabilities"], rel=1e-12)
