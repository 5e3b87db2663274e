"""What is left out is said in one line, and is a failure where everything must run (tests/left_out.py)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

INNER_TESTS = """
import pytest

def test_plain():
    pass

@pytest.mark.postgres
def test_database():
    pass

{more}
"""


def run_inner(folder: Path, more: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest with the plug-in on three tests, on a machine without PostgreSQL."""
    (folder / "test_inner.py").write_text(INNER_TESTS.format(more=more), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = postgres\n", encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLP_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.left_out", str(folder)],
        cwd=folder,
        env={
            **inherited,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "MLP_TEST_POSTGRES": str(folder),  # which holds no server programs
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_left_out_tests_are_counted_in_one_line(tmp_path: Path) -> None:
    inner = run_inner(tmp_path)

    assert inner.returncode == 0, inner.stdout
    lines = [line for line in inner.stdout.splitlines() if line.startswith("left out:")]
    assert lines == ["left out: 1 test that needs PostgreSQL (apt-get install postgresql)"]
    assert "1 passed, 1 deselected" in inner.stdout


@pytest.mark.slow
def test_left_out_test_fails_the_run_where_all_are_required(tmp_path: Path) -> None:
    inner = run_inner(tmp_path, MLP_TEST_REQUIRE_ALL="1")

    assert inner.returncode == 1
    assert "MLP_TEST_REQUIRE_ALL is set" in inner.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("reason", "exit_code"), [("only on Windows", 0), ("no network", 1)])
def test_skipped_test_where_all_are_required_needs_another_system(tmp_path: Path, reason: str, exit_code: int) -> None:
    skipped = f'@pytest.mark.skip(reason="{reason}")\ndef test_skipped():\n    pass\n'

    inner = run_inner(tmp_path, skipped, MLP_TEST_REQUIRE_ALL="1", MLP_TEST_POSTGRES=str(with_programs(tmp_path)))

    assert inner.returncode == exit_code, inner.stdout


def with_programs(folder: Path) -> Path:
    """A folder that looks as if PostgreSQL's server programs were in it."""
    programs = folder / "programs"
    programs.mkdir()
    suffix = ".exe" if sys.platform == "win32" else ""
    for name in ("initdb", "postgres", "pg_ctl"):
        (programs / f"{name}{suffix}").touch(mode=0o755)
    return programs
