"""Reads what the pages show: code blocks of Markdown and reStructuredText, rows of tables, commands within a line."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source_tree import ROOT

PAGES = ROOT / "docs" / "source"
README = ROOT / "README.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"^\.\. code-block:: (\S+)\n((?:   :[a-z-]+:.*\n)*)\n((?:(?:   .*)?\n)+)", re.MULTILINE)
_OPTION = re.compile(r"^   :([a-z-]+): *(.*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)(`{1,2})(mlp [^`]+)\1(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """One code block of a page.

    Attributes:
        caption: The name of the file that the reader is told to write; empty where there is none.
        is_tested: The page says so, by ``:class: tested``.
    """

    language: str
    text: str
    caption: str = ""
    is_tested: bool = False


def blocks_of(path: Path) -> list[Block]:
    """The code blocks of a page, in its order."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [Block(language, body) for language, body in _FENCE.findall(text)]
    return [_block(*found) for found in _DIRECTIVE.findall(text + "\n")]


def _block(language: str, options_text: str, body: str) -> Block:
    options = dict(_OPTION.findall(options_text))
    text = "".join(f"{line.removeprefix('   ')}\n" for line in body.rstrip("\n").splitlines())
    return Block(language, text, options.get("caption", ""), "tested" in options.get("class", "").split())


def page(name: str) -> Path:
    """A page by its name, such as ``howto/call-it``."""
    return PAGES / f"{name}.rst"


def all_pages() -> list[Path]:
    """README.md and every page of the documentation."""
    return [README, *sorted(PAGES.rglob("*.rst"))]


def rows_of(path: Path) -> list[list[str]]:
    """The rows of all list-tables of a page, each a list of its cells."""
    rows: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"   (\* |  )-(?: (.*))?", line)
        if found and found[1] == "* ":
            rows.append([found[2] or ""])
        elif found:
            rows[-1].append(found[2] or "")
    return rows


def commands_within(path: Path) -> list[str]:
    """The ``mlp`` commands that a page names within its lines."""
    return [" ".join(found[1].split()) for found in _INLINE.findall(path.read_text(encoding="utf-8"))]
