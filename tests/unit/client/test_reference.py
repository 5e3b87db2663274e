"""Reference rows from frames and files."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlp.client.reference import reference_of
from mlp.errors import BadInput
from mlp.signature.fields import DType


def test_frame_is_written_as_csv_in_the_order_of_the_inputs() -> None:
    frame = pd.DataFrame(
        {
            "b": [0.1, np.nan],
            "a": ['say "x", y', None],
            "flag": [True, False],
            "at": pd.to_datetime(["2013-03-01T11:00:00", "2013-03-01T11:00:00"]),
        }
    )

    reference = reference_of(frame)
    content = reference.content(["a", "b", "flag", "at"])

    assert reference.file_name == "reference.csv"
    assert content == (
        b'a,b,flag,at\r\n"say ""x"", y",0.1,true,2013-03-01T11:00:00Z\r\n,,false,2013-03-01T11:00:00Z\r\n'
    )
    assert [item.nullable for item in reference.fields] == [True, True, False, False]


@pytest.mark.parametrize("is_zipped", [False, True])
def test_file_is_taken_as_it_is(tmp_path: Path, is_zipped: bool) -> None:
    name = "rows.csv.gz" if is_zipped else "rows.csv"
    content = b"a,b\n1,\n2,x\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if is_zipped else content)

    reference = reference_of(tmp_path / name)

    assert reference.file_name == ("reference.csv.gz" if is_zipped else "reference.csv")
    assert reference.content(["a", "b"]) == tmp_path / name
    assert [(item.dtype, item.nullable) for item in reference.fields] == [(DType.INT64, False), (DType.STRING, True)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"a": 1}], "reference is a DataFrame or the path"),
        ("rows.parquet", "reference rows are read from a .csv or .csv.gz file"),
        ("none.csv", "none.csv cannot be read"),
    ],
)
def test_what_is_no_reference_is_refused(given: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        reference_of(given)


def test_file_that_is_not_zipped_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(b"a\n1\n")

    with pytest.raises(BadInput, match="cannot be read"):
        reference_of(tmp_path / "rows.csv.gz")
