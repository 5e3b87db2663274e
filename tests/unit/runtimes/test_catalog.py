"""Runtimes by name: our own, and those that other packages announce."""

import sys
from pathlib import Path

import pytest

from mlp.errors import MissingExtra, ModelFailed, UnknownRuntime
from mlp.runtimes.catalog import get_runtime, load_version, runtime_names
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows


def _announce(folder: Path, name: str, target: str) -> None:
    """Install a distribution that announces a runtime: an entry point is a file in a folder of sys.path."""
    announced = folder / f"outside_{name}-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text(f"Metadata-Version: 2.1\nName: outside-{name}\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text(f"[mlp.runtimes]\n{name} = {target}\n")


def test_known_runtimes_are_our_four() -> None:
    assert runtime_names()[:4] == ("sklearn", "lightgbm", "onnx", "python")


@pytest.mark.parametrize("name", ["sklearn", "lightgbm", "onnx", "python"])
def test_runtime_is_found_by_its_name(name: str) -> None:
    assert get_runtime(name).name == name


def test_unknown_runtime_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownRuntime, match="unknown runtime 'torch'; known are sklearn, lightgbm, onnx, python"):
        get_runtime("torch")


def test_runtime_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside_constant.py").write_text(
        "import numpy\n"
        "class Constant:\n"
        "    name = 'constant'\n"
        "    def describe(self, folder): raise NotImplementedError\n"
        "    def load(self, folder, signature, threads): return self\n"
        "    def predict(self, batch): return {'value': numpy.full(batch.rows, 4.5)}\n"
        "    def close(self): pass\n"
    )
    _announce(tmp_path, "constant", "outside_constant:Constant")
    monkeypatch.syspath_prepend(tmp_path)
    signature = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64),))

    outputs = load_version(tmp_path, signature, "constant", 1).predict(from_rows(signature, [(1.0,), (2.0,)]))

    assert "constant" in runtime_names()
    assert outputs["value"].tolist() == [4.5, 4.5]
    sys.modules.pop("outside_constant")


def test_runtime_of_another_package_is_guarded_as_ours_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside_short.py").write_text(
        "class Short:\n"
        "    name = 'short'\n"
        "    def load(self, folder, signature, threads): return self\n"
        "    def predict(self, batch): return {'value': [1.0]}\n"
        "    def close(self): pass\n"
    )
    _announce(tmp_path, "short", "outside_short:Short")
    monkeypatch.syspath_prepend(tmp_path)
    signature = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64),))
    model = load_version(tmp_path, signature, "short", 1)

    with pytest.raises(ModelFailed, match="was given 2 rows and returned 1 rows"):
        model.predict(from_rows(signature, [(1.0,), (2.0,)]))

    sys.modules.pop("outside_short")


def test_announced_runtime_that_cannot_be_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _announce(tmp_path, "gone", "no_such_module:Gone")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtra, match="the runtime 'gone' of no_such_module:Gone cannot be imported"):
        get_runtime("gone")


@pytest.mark.parametrize(
    ("runtime", "file", "module", "said"),
    [
        ("sklearn", "model.joblib", "sklearn", r'pip install "mlp-stack\[sklearn\]"'),
        ("lightgbm", "model.txt", "lightgbm", r'pip install "mlp-stack\[lightgbm\]"'),
        ("onnx", "model.onnx", "onnxruntime", r'pip install "mlp-stack\[onnx\]"'),
    ],
)
def test_framework_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, file: str, module: str, said: str
) -> None:
    (tmp_path / file).write_bytes(b"")
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra, match=said):
        get_runtime(runtime).describe(tmp_path)
