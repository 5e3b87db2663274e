"""The tutorial is followed as printed, but for the last day of its replay: a week instead of two months."""

import re
import sys
from dataclasses import replace

import pytest

from tests.docs.blocks import Block, blocks_of, page
from tests.docs.terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform == "win32", reason="only on systems with a POSIX shell"),
]


def a_week_of(block: Block) -> Block:
    """The block, its replay cut short."""
    return replace(block, text=block.text.replace("2013-03-01 2013-04-30", "2013-03-01 2013-03-07"))


@pytest.fixture(scope="module")
def followed(terminal: Terminal) -> str:
    """All that is printed."""
    return terminal.follow(map(a_week_of, blocks_of(page("tutorial/flights"))))


def test_tutorial_prints_of_load_train_serve_and_register_what_the_page_shows(followed: str) -> None:
    shown = [block.text for block in blocks_of(page("tutorial/flights")) if block.language == "text"]
    table, learned, _serving, registered, signature = shown[:5]

    assert table in followed
    assert learned in followed
    assert registered in followed
    assert signature.partition("...")[0] in followed


def test_tutorial_ties_every_label_and_shows_quality_near_that_of_the_page(followed: str) -> None:
    asked = "asked about 6,530 flights; labels.csv has 6,167 labels"
    (auc,) = re.findall(r"^2013-03 .*%  (0\.\d+)  0\.\d+ - 0\.\d+ ", followed, re.MULTILINE)

    assert asked in followed
    assert 0.65 < float(auc) < 0.76


def test_tutorial_promotes_and_rolls_back(followed: str) -> None:
    assert "champion of flights is version 2\nchampion of flights is version 1\n" in followed
    assert "rollback  seen" in followed
