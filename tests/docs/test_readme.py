"""Every command block of the README runs as printed; see ``terminal`` for the few exceptions.

``make demo`` and ``make test`` are recognised and not run: they take minutes, and continuous integration begins with
them.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT
from tests.docs.blocks import README, Block, blocks_of, page
from tests.docs.terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="only on systems with a POSIX shell"),
]

COMMAND_BLOCKS = [block for block in blocks_of(README) if block.language == "sh"]
MAKE_BLOCKS = [block for block in COMMAND_BLOCKS if block.text.startswith("make ")]
SERVE, ADD, CURL = [block for block in COMMAND_BLOCKS if block not in MAKE_BLOCKS]


@pytest.fixture(scope="module")
def printed(readme_terminal: Terminal) -> list[str]:
    """What the three commands of one's own model print, in a folder that holds model.joblib and rows.csv."""
    (make_model,) = [block for block in blocks_of(page("howto/your-own-model")) if block.caption == "make_churn.py"]
    readme_terminal.follow([make_model, Block("sh", "python make_churn.py\n", is_tested=True)])
    return [readme_terminal.paste(block.text) for block in (SERVE, ADD, CURL)]


def test_first_screen_has_two_commands_to_begin_with() -> None:
    (block,) = MAKE_BLOCKS

    assert block.text.split("\n") == ["make demo", "make test", ""]


@pytest.mark.parametrize("name", ["demo", "test"])
def test_command_to_begin_with_is_one_of_the_makefile_and_of_dev(name: str) -> None:
    makefile = Path(ROOT, "Makefile").read_text(encoding="utf-8")

    told = subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), "help"], capture_output=True, text=True, timeout=60, check=True
    )

    assert re.search(rf"^help.* {name}\b.*:$", makefile, re.MULTILINE)
    assert re.search(rf"^  {name} ", told.stdout, re.MULTILINE)


def test_demo_behind_make_demo_tells_how_to_use_it() -> None:
    command = [sys.executable, "-m", "mlp", "demo", "flights", "--help"]

    told = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)

    assert "Usage: mlp demo flights" in told.stdout


def test_second_command_prints_the_call_of_the_readme(printed: list[str], readme_terminal: Terminal) -> None:
    added = printed[1]

    assert added.startswith("churn version 1 (champion), sklearn\n")
    assert added.endswith(readme_terminal.as_here(CURL.text))


def test_third_command_prints_an_answer_like_that_of_the_readme(printed: list[str]) -> None:
    (shown,) = [block for block in blocks_of(README) if block.text.startswith('{"id"')]
    expected = json.loads(shown.text.replace("\n", ""))

    answer = json.loads(printed[2])

    assert answer.keys() == expected.keys()
    assert answer["predictions"][0]["label"] == expected["predictions"][0]["label"]
    assert answer["predictions"][0]["probabilities"] == pytest.approx(
        expected["predictions"][0]["probabilities"], abs=0.001
    )


def test_links_of_the_readme_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []
