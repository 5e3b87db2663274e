"""Builds the data frame that a model receives: exactly the signature's types, quickly enough for single rows.

| input               | own code             | scikit-learn, LightGBM      |
|---------------------|----------------------|-----------------------------|
| int64, bool         | the same             | the same                    |
| the same, nullable  | Int64, boolean       | float64 with NaN            |
| float64, float32, … | the same, NaN        | the same, NaN               |
| string              | pandas' text, NaN    | pandas' text, NaN           |
| category            | category, declared categories in their order; null and unknown are NaN |
| datetime            | datetime64[us, UTC]  | datetime64[us, UTC]         |

Pandas' text is ``str`` from pandas 3 on and ``object`` before, as when pandas reads such a column itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp.errors import MissingExtra, VersionRefused
from mlp.signature import Batch, DType, Field
from mlp.signature.batch import Array
from mlp.signature.fields import INTEGERS, NUMPY_DTYPES

if TYPE_CHECKING:
    import pandas as pd

#: Makes one column of a batch into what a frame holds: an array or an extension array of pandas.
_ColumnMaker = Callable[[Batch], Any]


def import_pandas(needed_by: str) -> Any:
    """The module pandas.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra(f'{needed_by} needs pandas: pip install "mlp-stack[pandas]"') from error
    return pandas


class FrameBuilder:
    """Builds frames for one list of inputs; keep one per version. The frames own their memory.

    Args:
        inputs: Plain columns, in the order that the frame shall have.
        is_masked: Nullable integers and bools become Int64 and boolean (own code) rather than float64.

    Raises:
        MissingExtra: pandas is not installed.
        VersionRefused: An input has a shape, which a frame cannot hold.
    """

    def __init__(self, inputs: Sequence[Field], *, is_masked: bool, needed_by: str) -> None:
        self._pandas = import_pandas(needed_by)
        for item in inputs:
            if item.shape:
                raise VersionRefused(f"input '{item.name}' has the shape {list(item.shape)}, which no frame can hold")
        self._names = [item.name for item in inputs]
        self._columns = self._pandas.Index(self._names)
        self._blocks: list[Block] = []
        self._makers: list[tuple[_ColumnMaker, Array]] = []
        by_dtype: dict[np.dtype[Any], list[tuple[int, Field]]] = {}
        for position, item in enumerate(inputs):
            maker = self._maker(item, is_masked)
            if maker is None:
                by_dtype.setdefault(block_dtype(item), []).append((position, item))
            else:
                self._makers.append((maker, np.array([position])))
        self._blocks = [Block(dtype, items) for dtype, items in by_dtype.items()]
        self._from_blocks = _block_constructor()

    def build(self, batch: Batch) -> "pd.DataFrame":
        """The rows of the batch as a frame with a fresh RangeIndex."""
        index = self._pandas.RangeIndex(batch.rows)
        if self._from_blocks is None:
            return self._from_columns(batch, index)
        blocks = [(block.values(batch), block.positions) for block in self._blocks]
        blocks.extend((make(batch), position) for make, position in self._makers)
        # A view, so that code which names the columns' index does not name it for later frames.
        frame: pd.DataFrame = self._from_blocks(blocks, index=index, columns=self._columns.view())
        return frame

    def _from_columns(self, batch: Batch, index: Any) -> "pd.DataFrame":
        columns: dict[int, Any] = {}
        for block in self._blocks:
            columns.update(zip(block.positions.tolist(), block.values(batch), strict=True))
        for make, position in self._makers:
            columns[int(position[0])] = make(batch)
        ordered = {name: columns[position] for position, name in enumerate(self._names)}
        frame: pd.DataFrame = self._pandas.DataFrame(ordered, index=index, copy=False)
        return frame

    def _maker(self, item: Field, is_masked: bool) -> _ColumnMaker | None:
        """The function that makes an extension array of the input; None where it is one row of a plain block."""
        if item.dtype is DType.CATEGORY:
            return _category_maker(self._pandas, item)
        if item.dtype is DType.STRING:
            return _text_maker(self._pandas, item)
        if item.dtype is DType.DATETIME:
            return _datetime_maker(self._pandas, item)
        if is_masked and item.nullable and NUMPY_DTYPES[item.dtype].kind in "iub":
            return _masked_maker(self._pandas, item)
        return None


def block_dtype(item: Field) -> np.dtype[Any]:
    """The type that the column has in a frame: nullable integers and bools become floats."""
    becomes_float = item.nullable and (item.dtype in INTEGERS or item.dtype is DType.BOOL)
    return np.dtype("float64") if becomes_float else NUMPY_DTYPES[item.dtype]


class Block:
    """Columns of one plain type that lie together in the frame, as pandas itself arranges them."""

    def __init__(self, dtype: np.dtype[Any], items: Sequence[tuple[int, Field]]) -> None:
        self._dtype = dtype
        self._names = [item.name for _, item in items]
        self.positions = np.array([position for position, _ in items])

    def values(self, batch: Batch) -> Array:
        """The columns as [columns, rows], copied, since own code may write into its frame."""
        block = np.empty((len(self._names), batch.rows), dtype=self._dtype)
        columns, nulls = batch.columns, batch.nulls
        for row, name in enumerate(self._names):
            block[row] = columns[name]
            if name in nulls:
                block[row, nulls[name]] = np.nan
        return block


def _category_maker(pandas: Any, item: Field) -> _ColumnMaker:
    categories = item.categories if item.categories is not None else ()
    dtype = pandas.CategoricalDtype(list(categories))
    code_of = {category: code for code, category in enumerate(categories)}
    code_dtype = np.min_scalar_type(-max(len(categories), 1))
    from_codes = pandas.Categorical.from_codes
    name = item.name

    def make(batch: Batch) -> Any:
        codes = np.array([code_of.get(value, -1) for value in batch.columns[name]], dtype=code_dtype)
        return from_codes(codes, dtype=dtype, validate=False)

    return make


def _text_maker(pandas: Any, item: Field) -> _ColumnMaker:
    dtype = pandas.Series(["text"]).dtype
    name, nullable = item.name, item.nullable
    if dtype.kind == "O" and not isinstance(dtype, pandas.api.extensions.ExtensionDtype):
        shape = (-1,) if _block_constructor() is None else (1, -1)  # a plain block is [columns, rows]

        def make_objects(batch: Batch) -> Any:
            column = batch.columns[name].copy()
            if nullable:
                column[[value is None for value in column]] = np.nan
            return column.reshape(shape)

        return make_objects
    # Part of the interface that pandas documents for extension arrays; pandas.array() around it takes 10 µs more.
    from_sequence = dtype.construct_array_type()._from_sequence
    return lambda batch: from_sequence(batch.columns[name], dtype=dtype)


def _datetime_maker(pandas: Any, item: Field) -> _ColumnMaker:
    dtype = pandas.DatetimeTZDtype(unit="us", tz="UTC")
    from_sequence = dtype.construct_array_type()._from_sequence
    name = item.name
    return lambda batch: from_sequence(batch.columns[name], dtype=dtype, copy=True)


def _masked_maker(pandas: Any, item: Field) -> _ColumnMaker:
    is_bool = item.dtype is DType.BOOL
    array_class = pandas.arrays.BooleanArray if is_bool else pandas.arrays.IntegerArray
    name = item.name

    def make(batch: Batch) -> Any:
        mask = batch.nulls.get(name)
        copied = np.zeros(batch.rows, dtype=bool) if mask is None else mask.copy()
        return array_class(np.array(batch.columns[name]), copied)

    return make


def _block_constructor() -> Callable[..., Any] | None:
    """What makes a frame of ready blocks, five times as fast as DataFrame(dict) for one row; from pandas 3 on."""
    try:
        from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found] # no stubs yet
    except ImportError:
        return None
    constructor: Callable[..., Any] = create_dataframe_from_blocks
    return constructor


def arrays_of(batch: Batch) -> Mapping[str, Array]:
    """Copies of the columns, for own code whose inputs have shapes; nulls of integers as float64 NaN."""
    copied = {name: np.array(column) for name, column in batch.columns.items()}
    for name, mask in batch.nulls.items():
        copied[name] = copied[name].astype(np.float64)
        copied[name][mask] = np.nan
    return copied
