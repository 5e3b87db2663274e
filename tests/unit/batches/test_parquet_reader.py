import importlib.util
import io
import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mlp.batches.file_reader import FileRow
from mlp.batches.parquet_reader import ParquetReader, check_installed
from mlp.errors import MalformedBody, UnsupportedFormat

has_pyarrow = importlib.util.find_spec("pyarrow") is not None


def parquet_of(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=700)
    return file.getvalue()


def rows_of(reader: ParquetReader, content: bytes) -> list[FileRow]:
    with closing(reader):
        before = [row for start in range(0, len(content), 1000) for row in reader.feed(content[start : start + 1000])]
        assert before == []
        return list(reader.end())


@pytest.mark.skipif(has_pyarrow, reason="only on a machine without pyarrow")
def test_parquet_without_pyarrow_is_refused_with_a_remedy() -> None:
    with pytest.raises(UnsupportedFormat, match="pip install pyarrow"):
        check_installed()


@pytest.mark.skipif(not has_pyarrow, reason="only on a machine with pyarrow")
class TestWithPyarrow:
    def test_rows_are_numbered_and_stand_in_order(self, tmp_path: Path) -> None:
        reader = ParquetReader(tmp_path / "aside")

        rows = rows_of(reader, parquet_of({"x": list(range(2500)), "name": ["é"] * 2500}))

        assert reader.columns == ("x", "name")
        assert [row.line for row in rows] == list(range(1, 2501))
        assert [json.loads(str(row.content))["x"] for row in rows] == list(range(2500))
        assert list((tmp_path / "aside").iterdir()) == []

    def test_values_are_written_as_json_has_them(self, tmp_path: Path) -> None:
        moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        columns: dict[str, list[Any]] = {
            "a": [moment],
            "b": [Decimal("1.50")],
            "c": [float("nan")],
            "d": [None],
            "e": [[1, 2]],
            "f": [True],
        }

        (row,) = rows_of(ParquetReader(tmp_path), parquet_of(columns))

        assert json.loads(str(row.content)) == {
            "a": "2026-03-01T12:00:00Z",
            "b": 1.5,
            "c": None,
            "d": None,
            "e": [1, 2],
            "f": True,
        }

    def test_index_of_pandas_is_no_column(self, tmp_path: Path) -> None:
        reader = ParquetReader(tmp_path)

        (row,) = rows_of(reader, parquet_of({"x": [1], "__index_level_0__": [7]}))

        assert reader.columns == ("x",)
        assert row.content == '{"x":1}'

    @pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PAR1 and nothing else PAR1"])
    def test_what_is_no_parquet_is_refused(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(MalformedBody, match="no Parquet file"):
            rows_of(ParquetReader(tmp_path), content)
