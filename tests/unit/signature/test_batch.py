"""Batches: assembled from rows in exact types, joined and cut without mixing anybody's rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import cut, from_rows, join


def signature(*fields: Field) -> Signature:
    return Signature(Task.REGRESSION, fields)


def test_from_rows_plain_numbers_makes_a_matrix_whose_columns_are_views() -> None:
    batch = from_rows(signature(Field("a", DType.FLOAT64), Field("b", DType.FLOAT64)), [(1.0, 2.0), (3.0, 4.0)])

    assert batch.matrix is not None
    assert batch.matrix.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert np.shares_memory(batch.columns["b"], batch.matrix)


def test_from_rows_mixed_types_gives_each_column_its_own_dtype() -> None:
    fields = (
        Field("age", DType.INT64),
        Field("income", DType.FLOAT64, nullable=True),
        Field("plan", DType.STRING, nullable=True),
        Field("since", DType.DATETIME, nullable=True),
        Field("is_new", DType.BOOL),
    )

    batch = from_rows(
        signature(*fields), [(1, None, "pro", np.datetime64("2026-01-01", "us"), True), (2, 5.5, None, None, False)]
    )

    assert [batch.columns[item.name].dtype.str[1:] for item in fields] == ["i8", "f8", "O", "M8[us]", "b1"]
    assert np.isnan(batch.columns["income"][0])
    assert np.isnat(batch.columns["since"][1])
    assert batch.columns["plan"].tolist() == ["pro", None]


def test_from_rows_null_integers_are_masked() -> None:
    batch = from_rows(
        signature(Field("n", DType.INT64, nullable=True), Field("s", DType.STRING)), [(None, "a"), (7, "b")]
    )

    assert batch.columns["n"].tolist() == [0, 7]
    assert batch.nulls["n"].tolist() == [True, False]


def test_from_rows_without_rows_keeps_types() -> None:
    batch = from_rows(signature(Field("n", DType.INT64), Field("s", DType.STRING)), [])

    assert batch.rows == 0
    assert batch.columns["n"].dtype == np.int64


def test_join_batches_with_and_without_nulls_fills_the_masks() -> None:
    fields = signature(Field("n", DType.INT64, nullable=True), Field("s", DType.STRING))

    joined = join([from_rows(fields, [(1, "a")]), from_rows(fields, [(None, "b")])])

    assert joined.nulls["n"].tolist() == [False, True]
    assert joined.columns["s"].tolist() == ["a", "b"]


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_cut_after_join_gives_everybody_exactly_their_own_rows(sizes: list[int]) -> None:
    fields = signature(Field("a", DType.FLOAT64), Field("b", DType.FLOAT64))
    parts = [from_rows(fields, [(float(owner), float(row)) for row in range(size)]) for owner, size in enumerate(sizes)]

    joined = join(parts)
    pieces = cut({"owner": joined.columns["a"], "row": joined.columns["b"]}, sizes)

    for owner, (size, piece) in enumerate(zip(sizes, pieces, strict=True)):
        assert piece["owner"].tolist() == [owner] * size
        assert piece["row"].tolist() == list(range(size))
