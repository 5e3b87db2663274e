import io
from pathlib import Path

import pytest
import typer

from mlp.cli.formats import RowFormat
from mlp.cli.row_files import Row, opened
from mlp.errors import BadInput


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def rows_of(path: Path, row_format: RowFormat | None = None, delimiter: str | None = None) -> list[Row]:
    with opened(path, row_format, delimiter) as file:
        return list(file.rows)


def test_csv_rows_know_the_line_where_they_begin(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", 'a,b\r\n1,"two\nlines"\r\n\r\n3,\r\n')

    assert rows_of(path) == [Row(2, {"a": "1", "b": "two\nlines"}), Row(5, {"a": "3", "b": ""})]


def test_csv_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", b"\xef\xbb\xbfa\n1\n")

    assert rows_of(path) == [Row(2, {"a": "1"})]


def test_csv_with_another_delimiter_is_cut_there(tmp_path: Path) -> None:
    semicolons = written(tmp_path, "rows.csv", "a;b\n1;2\n")
    tabs = written(tmp_path, "rows.tsv", "a\tb\n1\t2\n")

    assert rows_of(semicolons, delimiter=";") == rows_of(tabs) == [Row(2, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1\n", "line 3: expected 2 cells, got 1"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("", "no first line that names its columns"),
        (b"a\n\xff\n", "line 2: not UTF-8 text"),
    ],
)
def test_csv_malformed_is_refused_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, "rows.csv", text)

    with pytest.raises(BadInput, match=message):
        rows_of(path)


def test_json_lines_blank_ones_count_but_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.jsonl", '{"a": 1}\n\n[2]\n')

    assert rows_of(path) == [Row(1, {"a": 1}), Row(3, [2])]


def test_json_lines_malformed_one_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.jsonl", '{"a": 1}\n{"a": \n')

    with pytest.raises(BadInput, match=r"rows.jsonl, line 2: not a row as JSON"):
        rows_of(path)


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2}]', '{"rows": [{"a": 1}, {"a": 2}]}'])
def test_json_document_rows_are_counted_from_zero(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, "rows.json", text)

    assert rows_of(path) == [Row(0, {"a": 1}), Row(1, {"a": 2})]


def test_json_object_without_rows_is_one_row(tmp_path: Path) -> None:
    path = written(tmp_path, "row.json", '{"a": 1}')

    assert rows_of(path) == [Row(0, {"a": 1})]


def test_json_keys_belong_to_their_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.json", '{"rows": [[1], [2]], "keys": ["x", "y"]}')

    assert rows_of(path) == [Row(0, [1], "x"), Row(1, [2], "y")]


@pytest.mark.parametrize("text", ['{"rows": [[1]], "keys": []}', '{"rows": [1]}', "[1]", "[", '"text"'])
def test_json_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, "rows.json", text)

    with pytest.raises(BadInput):
        rows_of(path)


def test_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent.csv cannot be read: No such file"):
        rows_of(tmp_path / "absent.csv")


def test_file_of_unknown_ending_asks_for_the_format(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.txt", "a\n1\n")

    with pytest.raises(typer.BadParameter, match="--format"):
        rows_of(path)

    assert rows_of(path, RowFormat.CSV) == [Row(2, {"a": "1"})]


def test_delimiter_of_two_characters_is_wrong_usage(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", "a\n1\n")

    with pytest.raises(typer.BadParameter, match="not one character"):
        rows_of(path, delimiter="||")


@pytest.mark.parametrize(
    ("text", "row_format", "rows"),
    [
        ("a\n1\n", RowFormat.CSV, [Row(2, {"a": "1"})]),
        (' [{"a": 1}]', RowFormat.JSON, [Row(0, {"a": 1})]),
        ('{"a": 1}\n{"a": 2}\n', RowFormat.JSONL, [Row(1, {"a": 1}), Row(2, {"a": 2})]),
    ],
)
def test_standard_input_shows_its_format_by_its_beginning(
    monkeypatch: pytest.MonkeyPatch, text: str, row_format: RowFormat, rows: list[Row]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))

    with opened(Path("-")) as file:
        assert (file.format, list(file.rows)) == (row_format, rows)


def test_chunks_hold_all_rows_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", "a\n" + "".join(f"{value}\n" for value in range(5)))

    with opened(path) as file:
        chunks = [[row.number for row in chunk] for chunk in file.chunks(2)]

    assert chunks == [[2, 3], [4, 5], [6]]
