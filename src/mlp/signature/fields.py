"""The signature of a version: named, typed inputs and outputs, as they stand in mlp.toml and in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np

from mlp.errors import BadModelFolder

Scalar = str | int | float | bool
Unknown = Literal["refuse", "count"]
ExtraColumns = Literal["refuse", "ignore"]


class Task(StrEnum):
    """What the model does, which decides the form of its answers and how its quality is measured."""

    CLASSIFICATION = "classification"  #: a label, and probabilities where the model has them
    REGRESSION = "regression"  #: one number
    TENSORS = "tensors"  #: named arrays, served through /v2 and as `outputs` in /v1


class DType(StrEnum):
    """Types of one value. The first six are for columns of tables; all but CATEGORY also for tensors."""

    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    STRING = "string"
    CATEGORY = "category"
    DATETIME = "datetime"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


#: How each type is held in memory: text as Python objects, times as microseconds.
NUMPY_DTYPES: dict[DType, np.dtype[Any]] = {
    dtype: np.dtype("object")
    if dtype in (DType.STRING, DType.CATEGORY)
    else np.dtype("datetime64[us]")
    if dtype is DType.DATETIME
    else np.dtype(dtype.value)
    for dtype in DType
}
INTEGERS = frozenset(dtype for dtype in DType if NUMPY_DTYPES[dtype].kind in "iu")
FLOATS = frozenset(dtype for dtype in DType if NUMPY_DTYPES[dtype].kind == "f")
TEXTS = frozenset({DType.STRING, DType.CATEGORY})


@dataclass(frozen=True, slots=True)
class Field:
    """One named input or output.

    Attributes:
        shape: Sizes behind the batch dimension; ``()`` is a plain column, ``-1`` a size that may vary.
        nullable: A missing value is allowed: NaN for floats, NaT for times, None else.
        minimum: Smallest allowed number, inclusive; ``maximum`` likewise.
        categories: The values of a CATEGORY, in the order that the model was trained with.
        unknown: What happens to a value outside ``categories``: refuse the request, or pass it on and count it.
    """

    name: str
    dtype: DType
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    unknown: Unknown = "refuse"
    shape: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The field as it is stored and shown; every member always present."""
        return {
            "name": self.name,
            "dtype": self.dtype.value,
            "nullable": self.nullable,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "categories": None if self.categories is None else list(self.categories),
            "unknown": self.unknown,
            "shape": list(self.shape),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Field":
        """The field that a document describes; ``name`` and ``dtype`` (or ``type``, as in mlp.toml) must be there.

        Raises:
            BadModelFolder: An unknown type, member or value, naming the field.
        """
        name = document.get("name")
        if not isinstance(name, str) or not name:
            raise BadModelFolder(f"a field needs a name, got {name!r}")
        members = {key: value for key, value in document.items() if key not in ("name", "dtype", "type")}
        unknown_members = set(members) - {"nullable", "minimum", "maximum", "categories", "unknown", "shape"}
        if unknown_members:
            raise BadModelFolder(f"field '{name}': unknown setting {sorted(unknown_members)[0]!r}")
        made = cls(name, _dtype_of(name, document.get("dtype", document.get("type"))), **_typed_members(name, members))
        if made.dtype is DType.CATEGORY and made.categories is None:
            raise BadModelFolder(f"field '{name}': a category needs its categories = [...]")
        return made


def _dtype_of(name: str, text: Any) -> DType:
    try:
        return DType(text)
    except ValueError:
        known = ", ".join(dtype.value for dtype in DType)
        raise BadModelFolder(f"field '{name}': unknown type {text!r}; known are {known}") from None


def _typed_members(name: str, members: Mapping[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for key, value in members.items():
        if value is None:
            continue
        try:
            typed[key] = _MEMBER_TYPES[key](value)
        except (TypeError, ValueError) as error:
            raise BadModelFolder(f"field '{name}': {key} = {value!r} is not allowed: {error}") from error
    return typed


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("expected a number")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TypeError("expected a list of strings")
    if len(set(value)) != len(value):
        raise ValueError("a category stands twice")
    return tuple(value)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, int) and item >= -1 for item in value):
        raise TypeError("expected a list of sizes, -1 where it may vary")
    return tuple(value)


def _unknown_rule(value: Any) -> Unknown:
    if value not in ("refuse", "count"):
        raise ValueError('expected "refuse" or "count"')
    rule: Unknown = value
    return rule


_MEMBER_TYPES: dict[str, Any] = {
    "nullable": _boolean,
    "minimum": _number,
    "maximum": _number,
    "categories": _names,
    "unknown": _unknown_rule,
    "shape": _sizes,
}


@dataclass(frozen=True)
class Signature:
    """Everything that a version accepts and returns.

    Attributes:
        classes: Labels of a classification in the order of the columns of ``probabilities``.
        positive_class: The label whose probability is the score of a two-class model (default: the second).
        extra_columns: What happens to a column that is no input: refuse the request, or ignore it.
    """

    task: Task
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()
    classes: tuple[Scalar, ...] | None = None
    positive_class: Scalar | None = None
    extra_columns: ExtraColumns = "refuse"

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs in their order."""
        return tuple(item.name for item in self.inputs)

    @cached_property
    def inputs_by_name(self) -> dict[str, Field]:
        """Inputs by their name."""
        return {item.name: item for item in self.inputs}

    @cached_property
    def matrix_dtype(self) -> DType | None:
        """The type of all inputs where they are plain columns of one number type without nulls; else None.

        Such a batch is held as one matrix, which spares a column-wise assembly on the hot path.
        """
        kinds = {(item.dtype, item.nullable, item.shape) for item in self.inputs}
        if len(kinds) != 1:
            return None
        dtype, nullable, shape = next(iter(kinds))
        is_number = dtype in INTEGERS or dtype in FLOATS
        return dtype if is_number and not nullable and shape == () else None

    @cached_property
    def score_column(self) -> int | None:
        """Index into ``classes`` of the positive class of a two-class model; None for every other model."""
        if self.task is not Task.CLASSIFICATION or self.classes is None or len(self.classes) != 2:
            return None
        return 1 if self.positive_class is None else self.classes.index(self.positive_class)

    def to_json(self) -> dict[str, Any]:
        """The signature as it is stored and shown."""
        return {
            "task": self.task.value,
            "inputs": [item.to_json() for item in self.inputs],
            "outputs": [item.to_json() for item in self.outputs],
            "classes": None if self.classes is None else list(self.classes),
            "positive_class": self.positive_class,
            "extra_columns": self.extra_columns,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Signature":
        """The signature that a stored document describes.

        Raises:
            BadModelFolder: A field is malformed, two have one name, or the classes do not fit.
        """
        inputs = tuple(Field.from_json(item) for item in document["inputs"])
        names = [item.name for item in inputs]
        if len(set(names)) != len(names):
            raise BadModelFolder(f"input '{next(name for name in names if names.count(name) > 1)}' stands twice")
        classes = document.get("classes")
        positive = document.get("positive_class")
        if positive is not None and positive not in (classes if classes is not None else ()):
            raise BadModelFolder(f"positive_class {positive!r} is not one of the classes {classes!r}")
        return cls(
            task=Task(document["task"]),
            inputs=inputs,
            outputs=tuple(Field.from_json(item) for item in document.get("outputs", ())),
            classes=None if classes is None else tuple(classes),
            positive_class=positive,
            extra_columns=document.get("extra_columns", "refuse"),
        )
