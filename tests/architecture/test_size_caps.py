"""Modules stop at 400 lines and functions at 50 statements (STYLE.md, rule 2)."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source_tree import parsed, python_files, shown

MODULE_LINES_MAX = 400
FUNCTION_STATEMENTS_MAX = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def statements_of(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, all levels deep, without those of functions and classes defined in it."""
    for statement in body:
        yield statement
        if isinstance(statement, Function | ast.ClassDef):
            continue
        for block in ast.iter_child_nodes(statement):
            nested = [block] if isinstance(block, ast.stmt) else getattr(block, "body", None)
            yield from statements_of(nested if isinstance(nested, list) else [])


def statement_count(function: Function) -> int:
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return sum(1 for _ in statements_of(function.body[1:] if has_docstring else function.body))


def functions_of(path: Path) -> list[Function]:
    return [node for node in ast.walk(parsed(path)) if isinstance(node, Function)]


def test_modules_stop_at_400_lines() -> None:
    lines = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}

    too_long = {name: count for name, count in lines.items() if count > MODULE_LINES_MAX}

    assert not too_long


def test_functions_stop_at_50_statements() -> None:
    statements = {
        f"{shown(path)}:{function.lineno} {function.name}": statement_count(function)
        for path in python_files()
        for function in functions_of(path)
    }

    too_long = {name: count for name, count in statements.items() if count > FUNCTION_STATEMENTS_MAX}

    assert not too_long


def test_statement_count_of_nested_blocks_and_functions() -> None:
    source = '''
def outer(values):
    """Not counted."""
    for value in values:          # 1
        try:                      # 2
            print(value)          # 3
        except ValueError:
            raise                 # 4
        else:
            pass                  # 5
        match value:              # 6
            case 1:
                print()           # 7
    def inner():                  # 8
        return 1                  # its own
    return inner                  # 9
'''
    outer = ast.parse(source).body[0]

    assert isinstance(outer, ast.FunctionDef)
    assert statement_count(outer) == 9
