"""Which global names a piece of source reads: when its statement runs, and later when it is called."""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamesRead:
    """Names that a definition reads from the module around it.

    Attributes:
        at_definition: Read while the ``def`` or ``class`` statement runs: decorators, defaults, annotations, bases.
        later: Read when it is called.
        written: Assigned when it is called, after a ``global`` statement; they need not exist before.
        attributes: Dotted paths that begin with one of the names, such as ``("np", "random", "default_rng")``.
        imported: Modules that import statements within the source name; ``.`` at the front of a relative one.
    """

    at_definition: frozenset[str]
    later: frozenset[str]
    written: frozenset[str]
    attributes: frozenset[tuple[str, ...]]
    imported: frozenset[str]


def names_read(source: str) -> NamesRead:
    """The names that the definitions in ``source`` read."""
    table = symtable.symtable(source, "<captured>", "exec")
    found = list(_globals_of(table, is_early=True))
    early = {symbol.get_name() for symbol, is_early in found if is_early and symbol.is_referenced()}
    late = {symbol.get_name() for symbol, is_early in found if not is_early and symbol.is_referenced()}
    written = {symbol.get_name() for symbol, _ in found if symbol.is_declared_global() and symbol.is_assigned()}
    tree = ast.parse(source)
    return NamesRead(
        at_definition=frozenset(early),
        later=frozenset(late - early),
        written=frozenset(written),
        attributes=frozenset(_attribute_paths(tree)),
        imported=frozenset(_imported_modules(tree)),
    )


def _globals_of(table: symtable.SymbolTable, *, is_early: bool) -> Iterator[tuple[symtable.Symbol, bool]]:
    is_module = "module" in str(table.get_type()).lower()
    for symbol in table.get_symbols():
        is_bound_here = is_module and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace())
        if symbol.is_global() and not is_bound_here:
            yield symbol, is_early
    for inner in table.get_children():
        yield from _globals_of(inner, is_early=is_early and not _waits_for_a_call(inner))


def _waits_for_a_call(table: symtable.SymbolTable) -> bool:
    """Whether the scope runs only when called; classes and comprehensions run where they stand, lambdas may."""
    is_function = "function" in str(table.get_type()).lower()
    return is_function and table.get_name() not in ("listcomp", "setcomp", "dictcomp", "genexpr", "lambda")


def _attribute_paths(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in found}
    for outermost in found:
        if id(outermost) in inner:
            continue
        attributes: list[str] = []
        node: ast.expr = outermost
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            yield (node.id, *reversed(attributes))


def _imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
