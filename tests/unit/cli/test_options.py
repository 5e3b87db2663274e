from pathlib import Path
from typing import Annotated

import pytest
import typer

from mlp.cli.options import Noun, add_command, add_noun, add_root
from mlp.cli.session import Session, SharedOptions


def run(*arguments: str) -> tuple[SharedOptions, list[str]]:
    """Runs a command line of one command and of a noun with one; what they saw and were given."""
    seen: list[str] = []

    def before(_session: Session) -> None:
        return

    def plain(session: Session, size: Annotated[int, typer.Option()] = 1) -> None:
        seen.append(f"plain {size} json={session.output.is_json}")

    def list_things(session: Session, name: Annotated[str, typer.Argument()]) -> None:
        seen.append(f"list {name} json={session.output.is_json}")

    app = typer.Typer(rich_markup_mode=None)
    add_root(app, before)
    add_command(app, "plain", plain)
    add_noun(app, "things", Noun("Things.", {"list": list_things}))
    shared = SharedOptions()
    typer.main.get_command(app).main(list(arguments), standalone_mode=False, obj=shared)
    return shared, seen


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "things", "list", "x"),
        ("things", "--json", "list", "x"),
        ("things", "list", "--json", "x"),
        ("things", "list", "x", "--json"),
    ],
)
def test_shared_option_stands_anywhere(arguments: tuple[str, ...]) -> None:
    shared, seen = run(*arguments)

    assert seen == ["list x json=True"]
    assert shared == SharedOptions(json=True)


def test_shared_option_given_twice_the_last_one_wins() -> None:
    shared, _seen = run("--folder", "a", "--url", "http://one", "plain", "--folder", "b")

    assert shared == SharedOptions(folder=Path("b"), url="http://one")


def test_own_options_reach_the_command() -> None:
    _shared, seen = run("plain", "--size", "3")

    assert seen == ["plain 3 json=False"]
