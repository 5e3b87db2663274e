"""Completes a signature: what mlp.toml says comes first, then what the model knows, then what the example shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlp.errors import BadModelFolder, VersionRefused
from mlp.registry.folder import ModelFolder
from mlp.runtimes.base import Described
from mlp.runtimes.inputs import check_count, plain_name
from mlp.runtimes.source import MODEL_CODE
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.fields import FLOATS, INTEGERS, TEXTS, Scalar
from mlp.signature.infer import fields_from_rows

#: Runtimes whose labels are taken from the probabilities, so that their numbered classes may be given names.
_NUMBERED = ("lightgbm", "onnx")


@dataclass(frozen=True, slots=True)
class Completed:
    """Inputs of a version, and the rows to try it with.

    Attributes:
        rows: The example's rows without the columns that were left out; one made-up row where there is no example.
        left_out: Columns of the example that the model does not know.
        is_made_up: The row is not the author's.
    """

    inputs: tuple[Field, ...]
    rows: tuple[Any, ...]
    left_out: tuple[str, ...] = ()
    is_made_up: bool = False


def complete_inputs(folder: ModelFolder, described: Described) -> Completed:
    """The inputs, from mlp.toml, the model, or the example.

    Raises:
        BadModelFolder: None of them tells, or the example lacks what the model wants.
    """
    # What the model knows of its features says nothing of the inputs where own code stands between them.
    has_own_code = (folder.path / MODEL_CODE).is_file()
    known = Described(signature=None, trained_with={}) if has_own_code else described
    known_inputs = () if known.signature is None else known.signature.inputs
    if folder.inputs is not None:
        return _with_rows(folder, folder.inputs)
    if folder.example is None:
        if not known_inputs:
            raise BadModelFolder(
                "nothing says what the inputs are: write them in mlp.toml, [inputs], or give some rows in example.json"
            )
        return _with_rows(folder, known_inputs)
    return _from_example(folder.example.rows, known, known_inputs)


def _with_rows(folder: ModelFolder, inputs: tuple[Field, ...]) -> Completed:
    if folder.example is not None:
        return Completed(inputs, folder.example.rows)
    row = {item.name: _made_up_value(item) for item in inputs}
    return Completed(inputs, (row,), is_made_up=True)


def _made_up_value(item: Field) -> Any:
    value: Any = ""
    if item.dtype is DType.DATETIME:
        value = "2026-01-01T00:00:00Z"
    elif item.dtype is DType.CATEGORY:
        value = (item.categories or ("",))[0]
    elif item.dtype is DType.BOOL:
        value = False
    elif item.dtype in INTEGERS or item.dtype in FLOATS:
        number = max(0, item.minimum) if item.minimum is not None else 0
        number = min(number, item.maximum) if item.maximum is not None else number
        value = int(number) if item.dtype in INTEGERS else float(number)
    for size in reversed(item.shape):
        value = [value] * max(size, 1)
    return value


def _from_example(rows: Sequence[Any], known: Described, known_inputs: tuple[Field, ...]) -> Completed:
    named = _named_rows(rows, known, known_inputs)
    columns = list(dict.fromkeys(name for row in named for name in row))
    wanted = _wanted(columns, known, known_inputs)
    fields_by_plain_name = {plain_name(item.name): item for item in known_inputs}
    # One input [rows, n] that takes n columns of the example: each is of its type.
    of_matrix = replace(known_inputs[0], shape=()) if known.input_count is not None and known_inputs else None
    inputs = []
    for name in wanted:
        told = fields_by_plain_name.get(plain_name(name), known.categories.get(name, of_matrix))
        inputs.append(_merged(name, told, [row.get(name) for row in named]))
    left_out = tuple(name for name in columns if name not in wanted)
    kept = tuple({name: row[name] for name in wanted if name in row} for row in named) if left_out else tuple(rows)
    return Completed(tuple(inputs), kept, left_out)


def _named_rows(rows: Sequence[Any], known: Described, known_inputs: tuple[Field, ...]) -> list[Mapping[str, Any]]:
    """The rows by name; rows that are lists take the model's names, or x0, x1, … as scikit-learn calls them."""
    names = known.input_names or tuple(item.name for item in known_inputs)
    named: list[Mapping[str, Any]] = []
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            named.append(row)
            continue
        called = names if len(names) == len(row) else tuple(f"x{position}" for position in range(len(row)))
        if names and not known.input_count and len(names) != len(row):
            raise BadModelFolder(f"example row {index} has {len(row)} values, the model takes {len(names)}")
        named.append(dict(zip(called, row, strict=True)))
    return named


def _wanted(columns: Sequence[str], known: Described, known_inputs: tuple[Field, ...]) -> list[str]:
    """Those columns of the example that are the model's inputs, in the model's order."""
    names = known.input_names or tuple(item.name for item in known_inputs)
    by_plain_name = {plain_name(name): name for name in columns}
    takes_columns = known.input_count is not None and not any(plain_name(name) in by_plain_name for name in names)
    if not names or (takes_columns and known.input_names is None):
        if known.input_count is not None:
            _check_count(known.input_count, columns)
        return list(columns)
    missing = [name for name in names if plain_name(name) not in by_plain_name]
    if missing:
        raise BadModelFolder(
            f"the example lacks {', '.join(missing)}, which the model was trained with; "
            f"its columns are {', '.join(columns)}"
        )
    return [by_plain_name[plain_name(name)] for name in names]


def _check_count(count: int, columns: Sequence[str]) -> None:
    try:
        check_count(count, [Field(name, DType.FLOAT64) for name in columns])
    except VersionRefused as error:
        raise BadModelFolder(f"example: {error.message}") from error


def _merged(name: str, told: Field | None, values: Sequence[Any]) -> Field:
    """The field that the model tells, widened by what the example shows; or what the example alone shows."""
    if told is None:
        return fields_from_rows([{name: value} for value in values])[0]
    told = replace(told, name=name, nullable=told.nullable or None in values)
    if all(value is None for value in values):
        return told
    shown = fields_from_rows([{name: value} for value in values])[0]
    if shown.dtype is DType.BOOL and told.dtype in FLOATS:
        return replace(shown, nullable=told.nullable)  # JSON's true is no number
    if (told.dtype in TEXTS) != (shown.dtype in TEXTS) and shown.dtype is not DType.DATETIME:
        raise BadModelFolder(
            f"column '{name}' of the example is {shown.dtype.value}, the model takes {told.dtype.value}"
        )
    return told


def complete_classes(folder: ModelFolder, described: Described) -> tuple[Scalar, ...] | None:
    """The classes in the order of the probabilities; None where neither mlp.toml nor the model says.

    Raises:
        BadModelFolder: The two contradict each other.
    """
    own = None if described.signature is None else described.signature.classes
    if folder.classes is None or own is None or folder.runtime == "python" or folder.classes == own:
        return own if folder.classes is None else folder.classes
    is_numbered = own == tuple(range(len(own))) and folder.runtime in _NUMBERED
    if is_numbered and len(folder.classes) == len(own):
        return folder.classes
    raise BadModelFolder(
        f"mlp.toml, [model]: classes = {list(folder.classes)}, but the model has {list(own)}, in this order"
    )


def partial_signature(folder: ModelFolder, described: Described, inputs: tuple[Field, ...]) -> Signature:
    """The signature as far as it is known before the model has answered; its task is not to be relied on."""
    own = described.signature
    outputs = folder.outputs if folder.outputs is not None else () if own is None else own.outputs
    task = folder.task or (Task.TENSORS if own is None else own.task)
    return Signature(
        task=task,
        inputs=inputs,
        outputs=outputs if task is not Task.REGRESSION else (),
        classes=complete_classes(folder, described) if task is not Task.REGRESSION else None,
        extra_columns=folder.extra_columns,
    )


def with_positive_class(signature: Signature, positive: Scalar | None) -> Signature:
    """The signature with its positive class.

    Raises:
        BadModelFolder: It is none of the classes.
    """
    if positive is not None and positive not in (signature.classes or ()):
        known = "unknown" if signature.classes is None else str(list(signature.classes))
        raise BadModelFolder(f"mlp.toml, [model]: positive_class = {positive!r}, but the classes are {known}")
    return replace(signature, positive_class=positive)
