from pathlib import Path

import pytest

from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat
from mlp.batches.file_reader import CSVReader, JSONLinesReader
from mlp.batches.formats import RESULT_TYPES, delimiter_of, format_of, make_reader, result_ending
from mlp.errors import UnsupportedFormat


@pytest.mark.parametrize(
    ("named", "content_type", "found"),
    [
        ("csv", None, BatchFormat.CSV),
        ("jsonl", "text/csv", BatchFormat.JSONL),
        (None, "text/csv; charset=utf-8; header=present", BatchFormat.CSV),
        (None, "Text/Tab-Separated-Values", BatchFormat.CSV),
        (None, "application/x-ndjson", BatchFormat.JSONL),
        (None, "application/jsonl", BatchFormat.JSONL),
    ],
)
def test_format_is_the_one_named_else_the_one_of_the_type(
    named: str | None, content_type: str | None, found: BatchFormat
) -> None:
    assert format_of(named, content_type, None) is found


@pytest.mark.parametrize(
    ("named", "content_type", "encoding", "message"),
    [
        ("xml", "text/csv", None, "use csv, jsonl or parquet"),
        (None, None, None, "add format=csv"),
        (None, "application/octet-stream", None, "add format=csv"),
        (None, "application/json", None, "add format=csv"),
        ("csv", None, "gzip", "send the file as it is"),
    ],
)
def test_what_is_not_taken_is_refused_with_a_remedy(
    named: str | None, content_type: str | None, encoding: str | None, message: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=message):
        format_of(named, content_type, encoding)


def test_delimiter_is_the_one_named_else_the_one_of_the_type() -> None:
    assert delimiter_of(";", "text/csv") == ";"
    assert delimiter_of(None, "text/csv") == ","
    assert delimiter_of(None, "text/tab-separated-values") == "\t"


def test_reader_is_that_of_the_format(tmp_path: Path) -> None:
    assert isinstance(make_reader(Options(delimiter=";"), tmp_path), CSVReader)
    assert isinstance(make_reader(Options(format=BatchFormat.JSONL), tmp_path), JSONLinesReader)


def test_results_are_csv_for_a_csv_and_json_lines_else() -> None:
    assert {each: result_ending(each) for each in BatchFormat} == {
        BatchFormat.CSV: "csv",
        BatchFormat.JSONL: "jsonl",
        BatchFormat.PARQUET: "jsonl",
    }
    assert RESULT_TYPES.keys() == {"csv", "jsonl"}
