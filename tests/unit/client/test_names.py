"""Names that source reads from around it: now, or when it is called."""

import pytest

from mlp.client.names import names_read


def test_function_reads_names_now_and_later() -> None:
    names = names_read(
        """
@decorate(ONE)
def prepare(frame: pd.DataFrame, limit=TWO, *, kind: "Quoted" = None) -> np.ndarray:
    local = [scale(value) for value in frame if value > THREE]
    def inner(x=FOUR):
        return local, x, FIVE
    return inner, prepare, lambda y: y + SIX, len(local)
"""
    )

    assert names.at_definition == {"decorate", "ONE", "pd", "TWO", "np"}
    assert names.later == {"scale", "THREE", "FOUR", "FIVE", "SIX", "prepare", "len"}


def test_class_reads_its_body_now_and_its_methods_later() -> None:
    names = names_read(
        """
class Preparer(Base, metaclass=Meta):
    limit: Annotation = ONE
    names = [one for one in TWO]
    def apply(self, x=THREE):
        return self.limit, FOUR, super().apply(x)
"""
    )

    assert names.at_definition == {"Base", "Meta", "Annotation", "ONE", "TWO", "THREE"}
    assert names.later == {"FOUR", "super"}


def test_annotations_that_are_never_evaluated_are_not_read() -> None:
    names = names_read("from __future__ import annotations\ndef f(x: pd.DataFrame) -> Missing:\n    return x\n")

    assert "Missing" not in names.at_definition | names.later


def test_names_that_it_writes_are_told() -> None:
    names = names_read("def f():\n    global seen, total\n    seen = 1\n    total += 1\n    return READ, seen\n")

    assert names.written == {"seen", "total"}
    assert names.later == {"READ", "seen"}


def test_attribute_paths_begin_with_their_name() -> None:
    names = names_read("def f(x):\n    return np.random.default_rng(1), x.a.b, g().c\n")

    assert names.attributes == {("np", "random", "default_rng"), ("x", "a", "b")}


@pytest.mark.parametrize(
    ("statement", "module"),
    [("import a.b as c", "a.b"), ("from d.e import f", "d.e"), ("from . import g", "."), ("from ..h import i", "..h")],
)
def test_imports_within_are_found(statement: str, module: str) -> None:
    assert names_read(f"def f():\n    {statement}\n").imported == {module}
