"""dev.py and the Makefile: the same commands, told in one place, and refused in one sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

COMMANDS = {"demo", "test", "stack-test", "faults", "check", "docs", "setup", "bench", "lock", "clean"}


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command() -> None:
    answer = run_dev("--help")

    assert answer.returncode == 0
    assert set(re.findall(r"^  ([\w-]+) ", answer.stdout, re.MULTILINE)) - {"python", "make"} == COMMANDS


def test_makefile_has_a_target_for_every_command() -> None:
    makefile = Path(ROOT, "Makefile").read_text(encoding="utf-8")

    (targets,) = re.findall(r"^(.+):\n\t@\$\(PYTHON\) dev\.py \$@ \$\(ARGS\)$", makefile, re.MULTILINE)

    assert set(targets.split()) == COMMANDS | {"help"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["deploy"], 'dev.py: there is no command "deploy"; there are demo, test, stack-test, faults, check'),
        (["setup", "all"], "dev.py setup: setup takes one of demo, dev, not all"),
        (["clean", "everything"], "dev.py clean: clean takes --all or nothing, not everything"),
        (["bench", "speed"], "dev.py bench: there is no bench/speed.py; there are "),
    ],
)
def test_wrong_use_is_refused_in_one_sentence(arguments: list[str], sentence: str) -> None:
    answer = run_dev(*arguments)

    assert answer.returncode == 2
    assert answer.stderr.startswith(sentence)
    assert len(answer.stderr.splitlines()) == 1
