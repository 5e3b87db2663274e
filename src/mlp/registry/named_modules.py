"""Finds out which top-level modules a version names itself: in the pickles that are read, and in its own code.

What those modules import in turn is not the model's choice, and is not recorded with it.
"""

import ast
import sys
from pathlib import Path
from typing import Any


def modules_named_by_pickles() -> set[str]:
    """A set that fills with the top-level modules that pickles name, as they are read from now on.

    By audit event "pickle.find_class" (Python 3.11 library, "pickle", Unpickler.find_class), which joblib's reader
    and own code raise as well. A hook stays until the process ends: this is for one that ends after a version.
    """
    named: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            named.add(str(arguments[0]).partition(".")[0])

    sys.addaudithook(note)
    return named


def modules_named_by_code(folder: Path) -> set[str]:
    """The top-level modules that import statements name in the Python files of a folder; those that parse."""
    named: set[str] = set()
    for path in folder.rglob("*.py"):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # whoever imports it says so
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                named.add(node.module.partition(".")[0])
    return named
