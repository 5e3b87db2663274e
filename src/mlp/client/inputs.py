"""The table [inputs] of mlp.toml: what an example shows, widened by the reference rows and by what the author says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlp.errors import BadInput
from mlp.signature.fields import FLOATS, INTEGERS, DType, Field

_NUMBERS = INTEGERS | FLOATS


def widened(example: Sequence[Field], reference: Sequence[Field]) -> tuple[Field, ...]:
    """The fields of the example, made to accept the reference rows as well.

    A value missing in either makes an input nullable; whole numbers become floats where the reference has fractions
    (as a column of pandas with missing values has); categories are united, the example's first.

    Raises:
        BadInput: The two have other names, or types that do not go together; names the inputs.
    """
    by_name = {item.name: item for item in reference}
    lacking = [item.name for item in example if item.name not in by_name]
    if lacking:
        raise BadInput(f"the reference rows lack the inputs {', '.join(lacking)}")
    strange = [name for name in by_name if name not in {item.name for item in example}]
    if strange:
        raise BadInput(f"the reference rows have columns that are no inputs: {', '.join(strange)}; leave them out")
    return tuple(_widened(item, by_name[item.name]) for item in example)


def _widened(example: Field, reference: Field) -> Field:
    dtype = _common_dtype(example.dtype, reference.dtype)
    if dtype is None:
        raise BadInput(
            f"input '{example.name}' is {example.dtype} in the example and {reference.dtype} in the reference rows"
        )
    categories = tuple(dict.fromkeys((example.categories or ()) + (reference.categories or ())))
    return replace(
        example,
        dtype=dtype,
        nullable=example.nullable or reference.nullable,
        categories=categories if dtype is DType.CATEGORY else None,
    )


def _common_dtype(example: DType, reference: DType) -> DType | None:
    if example == reference:
        return example
    if example in _NUMBERS and reference in _NUMBERS:
        return reference if example in INTEGERS and reference in FLOATS else example
    # A reference that was read from a file knows text, but no categories.
    return DType.CATEGORY if {example, reference} == {DType.CATEGORY, DType.STRING} else None


def amended(fields: Sequence[Field], settings: Mapping[str, Mapping[str, Any]]) -> tuple[Field, ...]:
    """The fields with what the author says of some of them: bounds, ``unknown``, ``nullable``, another type.

    Raises:
        BadInput: A name that is no input.
        BadModelFolder: A setting that no input has, or a value that it cannot have; names the input.
    """
    names = [item.name for item in fields]
    for name in settings:
        if name not in names:
            raise BadInput(f"inputs: '{name}' is not an input of this model; its inputs are {', '.join(names)}")
    return tuple(
        Field.from_json({**_without_dtype(item, settings.get(item.name, {})), **settings.get(item.name, {})})
        for item in fields
    )


def _without_dtype(item: Field, setting: Mapping[str, Any]) -> dict[str, Any]:
    """The field as a document; its own type left out where the setting says another."""
    document = item.to_json()
    if "type" in setting:
        del document["dtype"]
        if setting["type"] != DType.CATEGORY:
            document["categories"] = None
    return document


def inputs_table(fields: Sequence[Field]) -> dict[str, Any]:
    """The table [inputs]: the bare type where there is nothing more to say, else an inline table."""
    return {item.name: _entry(item) for item in fields}


def _entry(item: Field) -> str | dict[str, Any]:
    document = item.to_json()
    plain = Field(item.name, item.dtype).to_json()
    more = {name: value for name, value in document.items() if value != plain[name]}
    return {"type": item.dtype.value, **more} if more else item.dtype.value
