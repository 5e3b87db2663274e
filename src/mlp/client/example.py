"""The example rows of a version: their JSON form, the fields that they show, and the frame that the model sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlp.client.rows import is_array, is_frame, json_rows
from mlp.errors import BadInput
from mlp.registry.authoring import EXAMPLE_ROWS_MAX, read_example
from mlp.signature.fields import DType, Field
from mlp.signature.infer import example_rows, fields_from_frame, fields_from_rows

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """Rows that a version accepts.

    Attributes:
        rows: In JSON form.
        fields: What all the given rows show of the inputs, also those not kept.
        frame: The same rows as the author gave them, if that was a DataFrame.
    """

    rows: list[Row]
    fields: tuple[Field, ...]
    frame: "pd.DataFrame | None"


def example_of(given: Any, names: Sequence[str] | None = None) -> Example:
    """The example in a DataFrame, an array [rows, columns], a list of dicts, or a .csv, .json or .jsonl file.

    Of many rows the first 20 are kept, and for each column with a later null one row that has it.

    Args:
        names: What the columns of an array are called; ``x0``, ``x1``, ... as scikit-learn calls them unless given.

    Raises:
        BadInput: It is none of these, or holds no rows.
        BadModelFolder: A file cannot be read, or a column has no type that an input can have; names it.
    """
    if isinstance(given, str | Path):
        rows = read_example(Path(given))
    elif is_array(given) and given.ndim == 2:
        called = [f"x{position}" for position in range(given.shape[1])] if names is None else names
        rows = [dict(zip(called, row, strict=True)) for row in json_rows(given)]
    else:
        rows = [_named(row, index) for index, row in enumerate(json_rows(given))]
    if not rows:
        raise BadInput("the example holds no rows")
    fields = fields_from_frame(given) if is_frame(given) else fields_from_rows(rows)
    kept = {id(row) for row in example_rows(rows, EXAMPLE_ROWS_MAX)}
    positions = [position for position, row in enumerate(rows) if id(row) in kept]
    frame = given.iloc[positions] if is_frame(given) else None
    return Example([rows[position] for position in positions], fields, frame)


def _named(row: Any, index: int) -> Row:
    if not isinstance(row, dict):
        raise BadInput(f"row {index} of the example is a list: give dicts, so that the inputs have names")
    return row


def frame_of(example: Example, fields: Sequence[Field]) -> "pd.DataFrame":
    """The rows as a model of scikit-learn sees them: the author's own frame, or one of the types of the fields.

    Raises:
        BadInput: pandas is not installed.
    """
    if example.frame is not None:
        return example.frame
    try:
        import pandas as pd
    except ImportError as error:
        raise BadInput('rows become a frame by pandas: pip install "mlp-stack[pandas]"') from error
    columns = {item.name: [row.get(item.name) for row in example.rows] for item in fields}
    frame = pd.DataFrame(columns)
    for item in fields:
        if item.dtype is DType.DATETIME:
            frame[item.name] = pd.to_datetime(frame[item.name], utc=True, format="ISO8601")
        elif item.dtype is DType.CATEGORY:
            frame[item.name] = pd.Categorical(frame[item.name], categories=list(item.categories or ()))
        elif item.dtype is not DType.STRING:
            frame[item.name] = frame[item.name].astype("float64" if item.nullable else item.dtype.value)  # type: ignore[call-overload]
    return frame
