"""Frames have exactly the signature's types, and own their memory."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlp.errors import VersionRefused
from mlp.runtimes.frames import FrameBuilder, arrays_of
from mlp.signature import Batch, DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_TEXT = str(pd.Series(["a"]).dtype)
_FIELDS = (
    Field("price", DType.FLOAT64, nullable=True),
    Field("count", DType.INT64),
    Field("is_new", DType.BOOL),
    Field("calls", DType.INT64, nullable=True),
    Field("was_late", DType.BOOL, nullable=True),
    Field("name", DType.STRING, nullable=True),
    Field("plan", DType.CATEGORY, nullable=True, categories=("basic", "plus"), unknown="count"),
    Field("at", DType.DATETIME, nullable=True),
    Field("ratio", DType.FLOAT32),
)
_ROWS: list[tuple[Any, ...]] = [
    (1.5, 3, True, 7, False, "Zoë", "plus", np.datetime64("2026-03-01T12:00:00", "us"), 0.25),
    (None, 4, False, None, None, None, "gold", None, 0.5),
]


def _batch(fields: tuple[Field, ...] = _FIELDS, rows: list[tuple[Any, ...]] = _ROWS) -> Batch:
    return from_rows(Signature(Task.REGRESSION, fields), rows)


def test_frame_for_own_code_has_exactly_the_types_of_the_signature() -> None:
    frame = FrameBuilder(_FIELDS, is_masked=True, needed_by="test").build(_batch())

    assert [str(dtype) for dtype in frame.dtypes] == [
        *("float64", "int64", "bool", "Int64", "boolean", _TEXT, "category", "datetime64[us, UTC]", "float32")
    ]
    assert list(frame.columns) == [item.name for item in _FIELDS]


def test_frame_for_own_code_has_the_values_and_nulls_of_the_rows() -> None:
    frame = FrameBuilder(_FIELDS, is_masked=True, needed_by="test").build(_batch())

    first = frame.iloc[0]
    assert (first["price"], first["calls"], first["name"], first["plan"]) == (1.5, 7, "Zoë", "plus")
    assert first["at"] == pd.Timestamp("2026-03-01T12:00:00Z")
    assert frame.iloc[1].isna().tolist() == [True, False, False, True, True, True, True, True, False]


def test_frame_for_frameworks_has_floats_where_integers_may_be_null() -> None:
    frame = FrameBuilder(_FIELDS, is_masked=False, needed_by="test").build(_batch())

    assert frame["calls"].dtype == np.float64
    assert frame["was_late"].dtype == np.float64
    assert frame["calls"].tolist()[0] == 7.0
    assert np.isnan(frame["calls"].tolist()[1])


def test_frame_types_do_not_depend_on_whether_a_batch_has_nulls() -> None:
    builder = FrameBuilder(_FIELDS, is_masked=False, needed_by="test")

    without, with_nulls = builder.build(_batch(rows=_ROWS[:1])), builder.build(_batch())

    assert without.dtypes.equals(with_nulls.dtypes)


def test_frame_has_all_categories_in_their_order_and_none_for_unknown_ones() -> None:
    frame = FrameBuilder(_FIELDS, is_masked=False, needed_by="test").build(_batch())

    assert frame["plan"].cat.categories.tolist() == ["basic", "plus"]
    assert frame["plan"].cat.codes.tolist() == [1, -1]


def test_frame_from_blocks_is_the_same_as_from_columns() -> None:
    builder = FrameBuilder(_FIELDS, is_masked=True, needed_by="test")
    batch = _batch()

    frame = builder.build(batch)

    pd.testing.assert_frame_equal(frame, builder._from_columns(batch, pd.RangeIndex(batch.rows)))


def test_frame_that_is_written_into_leaves_the_batch_as_it_was() -> None:
    fields = (Field("a", DType.FLOAT64), Field("b", DType.FLOAT64))
    batch = _batch(fields, [(1.0, 2.0), (3.0, 4.0)])
    mixed = _batch()
    frame = FrameBuilder(fields, is_masked=False, needed_by="test").build(batch)
    mixed_frame = FrameBuilder(_FIELDS, is_masked=True, needed_by="test").build(mixed)

    frame.loc[0, "a"] = 99.0
    mixed_frame.loc[0, "count"] = mixed_frame.loc[0, "calls"] = 99
    mixed_frame.loc[0, "name"] = "other"
    mixed_frame.loc[0, "at"] = pd.Timestamp("2000-01-01T00:00:00Z")

    assert batch.columns["a"].tolist() == [1.0, 3.0]
    assert [mixed.columns[name][0] for name in ("count", "calls", "name")] == [3, 7, "Zoë"]
    assert mixed.columns["at"][0] == np.datetime64("2026-03-01T12:00:00", "us")


def test_frame_whose_column_index_is_named_does_not_name_the_next_one() -> None:
    builder = FrameBuilder(_FIELDS, is_masked=True, needed_by="test")

    builder.build(_batch()).columns.name = "named"

    assert builder.build(_batch()).columns.name is None


def test_frame_of_no_rows_has_the_types_too() -> None:
    builder = FrameBuilder(_FIELDS, is_masked=True, needed_by="test")

    frame = builder.build(_batch(rows=[]))

    assert len(frame) == 0
    assert frame.dtypes.equals(builder.build(_batch()).dtypes)


def test_frame_works_with_what_own_code_does_to_it() -> None:
    frame = FrameBuilder(_FIELDS, is_masked=True, needed_by="test").build(_batch())

    frame["hour"] = frame["at"].dt.hour
    frame["total"] = frame["price"].fillna(0) * frame["count"] + frame["calls"].fillna(0)
    kept = frame.drop(columns=["name"]).sort_values("count", ascending=False).copy()

    assert kept["total"].tolist() == [0.0, 11.5]
    assert frame["hour"].tolist()[0] == 12


def test_frame_of_an_input_with_a_shape_is_refused() -> None:
    with pytest.raises(VersionRefused, match=r"'image' has the shape \[2\]"):
        FrameBuilder((Field("image", DType.FLOAT32, shape=(2,)),), is_masked=True, needed_by="test")


def test_arrays_of_a_batch_are_copies_with_nan_for_null() -> None:
    batch = _batch((Field("n", DType.INT64, nullable=True), Field("v", DType.FLOAT64, shape=(2,))), [(None, [1, 2])])

    arrays = arrays_of(batch)

    arrays["v"][0, 0] = 9
    assert np.isnan(arrays["n"][0])
    assert batch.columns["v"].tolist() == [[1, 2]]
