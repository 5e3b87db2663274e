import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.batches import file_reader
from mlp.batches.file_reader import CSVReader, FileReader, FileRow, JSONLinesReader, delimiter_advice
from mlp.errors import BodyTooLarge, MalformedBody


def rows_of(reader: FileReader, *blocks: bytes) -> list[FileRow]:
    rows = [row for block in blocks for row in reader.feed(block)]
    return [*rows, *reader.end()]


def cells_of(*blocks: bytes, delimiter: str = ",") -> list[tuple[int, object]]:
    return [(row.line, row.content) for row in rows_of(CSVReader(delimiter), *blocks)]


def in_blocks(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def test_csv_rows_know_their_lines() -> None:
    reader = CSVReader(",")

    rows = rows_of(reader, b"x,y\n1,2\n\n3,4")

    assert reader.header == ("x", "y")
    assert [(row.line, row.content) for row in rows] == [(2, ["1", "2"]), (4, ["3", "4"])]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_csv_cut_into_blocks_anywhere_is_read_alike(size: int) -> None:
    content = '\ufeffx,note\r\n1,"a ""quoted"" text\r\nover\nlines, with commas"\r\n2,müde\r\n3,\r\n'.encode()

    assert cells_of(*in_blocks(content, size)) == [
        (2, ["1", 'a "quoted" text\r\nover\nlines, with commas']),
        (5, ["2", "müde"]),
        (6, ["3", ""]),
    ]


@given(
    st.lists(st.lists(st.text(alphabet='ab",\n\r é\0', max_size=6), min_size=2, max_size=2), max_size=8),
    st.integers(1, 40),
)
def test_csv_that_python_wrote_is_read_back(table: list[list[str]], size: int) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([["x", "y"], *table])

    found = cells_of(*in_blocks(written.getvalue().encode(), size))

    assert [content for _, content in found] == table


def test_bad_csv_row_carries_its_fault_and_the_next_one_is_read() -> None:
    rows = rows_of(CSVReader(","), b'x,y\n1,2\n"a"b,2\n3\n4,5\n', b"\xff,1\n6,7\n")

    assert [(row.line, row.content) for row in rows] == [
        (2, ["1", "2"]),
        (3, None),
        (4, None),
        (5, ["4", "5"]),
        (6, None),
        (7, ["6", "7"]),
    ]
    assert [row.fault for row in rows if row.content is None] == [
        "',' expected after '\"'",
        "expected 2 cells, got 1",
        "not UTF-8 text: save the file as UTF-8",
    ]


def test_quote_that_is_never_closed_is_named() -> None:
    with pytest.raises(MalformedBody, match="line 3: a quote opens there and is never closed"):
        cells_of(b'x,y\n1,2\n3,"4\n5,6\n')


def test_row_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "ROW_BYTES_MAX", 100)

    with pytest.raises(BodyTooLarge, match="line 2 begins a row of more than"):
        cells_of(b'x\n"', *[b"1234567\n"] * 20)


def test_line_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "ROW_BYTES_MAX", 100)

    with pytest.raises(BodyTooLarge, match="line 2 begins a row of more than"):
        rows_of(JSONLinesReader(), b"[1]\n", *[b"1234567"] * 20)


def test_cell_of_a_megabyte_is_read() -> None:
    ((line, content),) = cells_of(*in_blocks(b"x,y\n1," + b"z" * 2**20 + b"\n", 100_000))

    assert (line, content) == (2, ["1", "z" * 2**20])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"x,x\n1,2\n", "two columns 'x'"),
        (b",\n1,2\n", "does not name the columns"),
        ("x,y\n1,2\n".encode("utf-16"), "names the columns: not UTF-8"),
    ],
)
def test_file_without_a_line_of_titles_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(MalformedBody, match=message):
        cells_of(content)


def test_delimiter_is_the_one_that_is_named() -> None:
    assert cells_of(b"x;y\n1,5;2\n", delimiter=";") == [(2, ["1,5", "2"])]


@pytest.mark.parametrize(
    ("names", "advice"), [(("x;y",), ": add delimiter=;"), (("x\ty",), ": add delimiter=%09"), (("x", "y;"), "")]
)
def test_delimiter_advice(names: tuple[str, ...], advice: str) -> None:
    assert delimiter_advice(names) == advice


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_json_lines_know_their_lines(size: int) -> None:
    content = b'{"x": 1}\r\n\n[2]\n{"x": "\xff"}\n{"x": 3}'

    rows = rows_of(JSONLinesReader(), *in_blocks(content, size))

    assert [(row.line, row.content) for row in rows] == [(1, '{"x": 1}'), (3, "[2]"), (4, None), (5, '{"x": 3}')]


@pytest.mark.parametrize("content", [b'[\n{"x": 1}\n]\n', b'{\n"x": 1\n}\n'])
def test_json_document_over_several_lines_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedBody, match="one row on each line"):
        rows_of(JSONLinesReader(), content)
