"""Source of functions and classes, found where several stand and whatever surrounds them."""

import sys
from typing import Any

import pytest

from mlp.client.definitions import (
    definition_of_class,
    definition_of_function,
    functions_of,
    is_made_here,
    same_code,
)
from mlp.client.obstacles import SourceNotFound
from tests.unit.client.conftest import Notebook


def test_function_is_told_apart_from_others_of_its_name(notebook: Notebook) -> None:
    notebook.run("""
        def clean(x):
            return 1
        first = clean

        def clean(x):
            # the second one
            return 2
    """)

    first, second = definition_of_function(notebook["first"]), definition_of_function(notebook["clean"])

    assert first.source == "def clean(x):\n    return 1\n"
    assert second.source == "def clean(x):\n    # the second one\n    return 2\n"


def test_decorators_and_long_signatures_belong_to_the_source(notebook: Notebook) -> None:
    source = (
        "@(lambda f: f)\n@staticmethod\ndef clean(\n    x,  # why\n    y=(1,\n       2),\n):\n    return '''\na'''\n"
    )
    notebook.run("import math\n" + source + "after = 1\n")

    definition = definition_of_function(notebook["clean"].__func__)

    assert definition.source == source


def test_asynchronous_and_generator_functions_are_found(notebook: Notebook) -> None:
    notebook.run("async def fetch(x):\n    return x\ndef each(x):\n    yield x\n")

    assert definition_of_function(notebook["fetch"]).source.startswith("async def fetch")
    assert definition_of_function(notebook["each"]).source.startswith("def each")


def test_class_with_methods_is_found_by_them(notebook: Notebook) -> None:
    notebook.run("class Rule:\n    def apply(self):\n        return 1\n")
    old = notebook["Rule"]
    notebook.run("class Rule:\n    def apply(self):\n        return 2\n")

    assert "return 1" in definition_of_class(old, notebook.namespace).source
    assert "return 2" in definition_of_class(notebook["Rule"], notebook.namespace).source


def test_class_without_methods_is_found_by_its_name(notebook: Notebook) -> None:
    notebook.run("class Bare(Exception):\n    '''Nothing.'''\n")

    assert (
        definition_of_class(notebook["Bare"], notebook.namespace).source
        == "class Bare(Exception):\n    '''Nothing.'''\n"
    )


def test_same_class_run_twice_is_one(notebook: Notebook) -> None:
    notebook.run("class Bare:\n    x = 1\n")
    notebook.run("class Bare:\n    x = 1\n")

    assert definition_of_class(notebook["Bare"], notebook.namespace).source == "class Bare:\n    x = 1\n"


def test_class_that_has_no_source_is_named() -> None:
    with pytest.raises(SourceNotFound) as raised:
        definition_of_class(type("Made", (), {}), {})

    assert "keeps no source" in raised.value.reason


def test_functions_of_a_class_are_those_written_in_it(notebook: Notebook) -> None:
    notebook.run("""
        from dataclasses import dataclass
        @dataclass
        class Rule:
            step: int
            def apply(self): ...
            @classmethod
            def make(cls): ...
            @staticmethod
            def none(): ...
            @property
            def size(self): ...
    """)

    assert sorted(function.__name__ for function in functions_of(notebook["Rule"])) == ["apply", "make", "none", "size"]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("def f(x):\n    return x + 1", "\n\n\ndef f(x):\n\n    return (x +\n 1)", True),
        ("def f(x):\n    return 1", "def f(x):\n    return 1.0", False),
        ("def f(x):\n    return 1", "def f(y):\n    return 1", False),
        ("def f(x):\n    return a", "def f(x):\n    return b", False),
        ("def f(x):\n    return lambda: 1", "def f(x):\n    return lambda: 2", False),
        ("def f(x):\n    class A:\n        y = 1", "\n\ndef f(x):\n\n    class A:\n        y = 1", True),
    ],
)
def test_code_is_the_same_wherever_it_stands(left: str, right: str, expected: bool) -> None:
    codes = []
    for source in (left, right):
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        codes.append(namespace["f"].__code__)

    assert same_code(*codes) is expected


def test_made_here_is_what_main_defines(notebook: Notebook) -> None:
    notebook.run("import functools\ndef f(): ...\nclass A: ...\ng = functools.lru_cache(f)\n")

    assert all(is_made_here(notebook[name]) for name in ("f", "A", "g"))
    assert not any(map(is_made_here, (notebook["A"](), sys, pytest.raises, 3)))
