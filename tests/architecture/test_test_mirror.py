"""tests/unit mirrors src/mlp: tests/unit/jobs/test_store.py tests src/mlp/jobs/store.py (STYLE.md, rule 32)."""

from pathlib import Path

from tests.architecture.source_tree import PACKAGE, ROOT, python_files, shown

UNIT_TESTS = [path for path in python_files("tests/unit") if path.name.startswith("test_")]


def counterparts(test_file: Path) -> list[Path]:
    """Where the code under test may lie: test_store_claims.py may test store.py, or store_claims.py."""
    folder = PACKAGE / test_file.relative_to(ROOT / "tests" / "unit").parent
    words = test_file.stem.removeprefix("test_").split("_")
    return [folder / ("_".join(words[:count]) + ".py") for count in range(1, len(words) + 1)]


def test_unit_tests_have_their_source() -> None:
    strays = [shown(path) for path in UNIT_TESTS if not any(source.is_file() for source in counterparts(path))]

    assert not strays, "these mirror no file of src/mlp"


def test_unit_test_folders_hold_tests_alone() -> None:
    strangers = [shown(path) for path in python_files("tests/unit") if not path.name.startswith(("test_", "conftest"))]

    assert not strangers
