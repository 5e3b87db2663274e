"""Own code: its modules are its own, and its errors say where they happened."""

import sys
import threading
from pathlib import Path

import pytest

from mlp.errors import VersionRefused
from mlp.runtimes.source import OwnCode, explained, find_preprocess, importing_from, module_names


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def _version_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("mlp_version_")}


def _load(folder: Path) -> OwnCode:
    with importing_from(folder):
        return OwnCode(folder)


def test_two_versions_with_modules_of_one_name_each_have_their_own(tmp_path: Path) -> None:
    model = "import features\ndef name(): return features.NAME"
    first = _load(_write(tmp_path / "a", model=model, features="NAME = 'first'"))
    second = _load(_write(tmp_path / "b", model=model, features="NAME = 'second'"))

    names = [first.find("name")(), second.find("name")()]

    assert names == ["first", "second"]


def test_a_module_of_the_same_name_elsewhere_is_still_there_afterwards(tmp_path: Path) -> None:
    elsewhere = type(sys)("features")
    sys.modules["features"] = elsewhere
    try:
        code = _load(_write(tmp_path / "a", model="import features\nNAME = features.NAME", features="NAME = 1"))

        assert sys.modules["features"] is elsewhere
        assert code._module.NAME == 1
    finally:
        del sys.modules["features"]


def test_packages_beside_the_model_with_and_without_init_are_imported(tmp_path: Path) -> None:
    folder = _write(
        tmp_path / "a",
        model="from plain import one\nfrom proper.two import TWO\ndef both(): return one.ONE + TWO",
        plain__in__one="ONE = 1",
        proper__in____init__="",
        proper__in__two="TWO = 2",
    )

    code = _load(folder)

    assert code.find("both")() == 3
    assert not any(name.partition(".")[0] in ("plain", "proper") for name in sys.modules)


def test_no_bytecode_is_written_into_the_folder(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", model="import features", features="")

    _load(folder)

    assert sorted(path.name for path in folder.iterdir()) == ["features.py", "model.py"]


def test_modules_of_the_folder_are_hidden_from_other_threads(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", only_mine="")
    seen: list[str] = []

    def look() -> None:
        try:
            __import__("only_mine")
        except ImportError as error:
            seen.append(type(error).__name__)

    with importing_from(folder):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)

    assert seen == ["ModuleNotFoundError"]


def test_modules_of_python_itself_are_not_taken_from_the_folder(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", model="import queue\nKIND = queue.Queue", queue="", other="")

    code = _load(folder)

    assert module_names(folder) == {"model", "other"}
    assert code.find("KIND") is not None


def test_dataclasses_in_own_code_work(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Model:\n    weight: float = 2.0\n"
    )

    code = _load(_write(tmp_path / "a", model=text))

    assert code.find("Model")().weight == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (\n", "model.py line 1: SyntaxError"),
        ("\n\nraise KeyError('gone')", "model.py line 3: KeyError: 'gone'"),
        ("import features", "features.py line 2: ZeroDivisionError: division by zero"),
        ("import no_such_package", "model.py line 1: ModuleNotFoundError: No module named 'no_such_package'. Install"),
        ("\nexit(3)", "model.py line 2: called exit\\(3\\)"),
    ],
)
def test_model_code_that_fails_to_import_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    folder = _write(tmp_path / "a", model=text, features="x = 0\ny = 1 / x")
    before = _version_modules()

    with pytest.raises(VersionRefused, match=f"^{said}"):
        _load(folder)

    assert _version_modules() == before


def test_import_while_predicting_of_a_module_beside_it_is_explained(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", model="def late():\n    import features", features="")
    code = _load(folder)

    with pytest.raises(ModuleNotFoundError) as caught:
        code.find("late")()

    said = explained(caught.value, folder)
    assert said.startswith("model.py line 2, in late: ModuleNotFoundError")
    assert said.endswith("Import it at the top of model.py: modules beside it can only be imported while it loads")


def test_preprocess_that_is_no_function_is_refused(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", model="preprocess = 3")

    with importing_from(folder), pytest.raises(VersionRefused, match="'preprocess' must be a function, it is a int"):
        find_preprocess(folder)


def test_model_code_without_preprocess_beside_a_model_file_is_refused(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", model="def prepare(frame): ...")

    with importing_from(folder), pytest.raises(VersionRefused, match=r"must define preprocess\(frame\)"):
        find_preprocess(folder)


def test_closed_code_leaves_the_module_table(tmp_path: Path) -> None:
    before = _version_modules()
    code = _load(_write(tmp_path / "a", model=""))

    code.close()

    assert _version_modules() == before
