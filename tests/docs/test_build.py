"""The documentation builds, every label in it resolves, and no page is left out of the contents."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    strict = ["-b", "dummy", "-W", "--keep-going", "--quiet", "-d", str(tmp_path / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *strict, str(PAGES), str(tmp_path / "pages")]

    built = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert built.returncode == 0, built.stdout + built.stderr
