"""The question before something that cannot be undone."""

import sys

import typer

from mlp.errors import BadInput


def is_confirmed(question: str) -> bool:
    """Whether whoever sits at the terminal says yes.

    Raises:
        BadInput: Nobody does.
    """
    if not sys.stdin.isatty():
        raise BadInput("nobody can be asked here: add --yes")
    return typer.confirm(question, err=True)
