"""Where modules come from, and which packages they belong to."""

import importlib.metadata
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mlp.client.origins import Origin, origin_of, versions_of


@pytest.mark.parametrize(
    ("module", "origin"),
    [
        ("json", Origin.STANDARD),
        ("os.path", Origin.STANDARD),
        ("sys", Origin.STANDARD),
        ("numpy.linalg", Origin.INSTALLED),
        ("sklearn.preprocessing._data", Origin.INSTALLED),
        ("mlp.client", Origin.INSTALLED),
        ("__main__", Origin.LOCAL),
        ("no_such_module_anywhere", Origin.ABSENT),
    ],
)
def test_origin_of_module(module: str, origin: Origin) -> None:
    assert origin_of(module) is origin


def test_module_beside_the_code_is_local_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_the_notebook.py").write_text("raise SystemExit")
    (tmp_path / "folder_beside").mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    assert origin_of("beside_the_notebook") is Origin.LOCAL
    assert origin_of("folder_beside.inner") is Origin.LOCAL


def test_module_made_by_hand_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_by_hand", ModuleType("made_by_hand"))

    assert origin_of("made_by_hand.inner") is Origin.LOCAL


def test_versions_are_those_of_the_distributions() -> None:
    versions = versions_of(["sklearn.pipeline", "sklearn", "json", "mlp.client", "numpy.random"])

    assert versions == {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")}
