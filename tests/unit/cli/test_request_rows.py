from pathlib import Path
from typing import Any

import pytest

from mlp.cli.formats import RowFormat
from mlp.cli.request_rows import RequestReader, errors_in_the_file
from mlp.cli.row_files import Row, RowFile, opened
from mlp.client.results import Field, Signature
from mlp.errors import BadInput, SignatureMismatch

SIGNATURE = Signature("classification", (Field("age", "int64"),))


def read(path: Path, key: str | None = None, signature: Signature = SIGNATURE) -> tuple[list[Any], list[str] | None]:
    with opened(path) as file:
        reader = RequestReader(file, key)
        if reader.needs_signature:
            reader.fit(signature)
        return reader.read(list(file.rows))


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_key_is_set_apart_from_the_inputs(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", "customer,age\ncrm-1,41\n")

    assert read(path, "customer") == ([{"age": 41}], ["crm-1"])


def test_json_key_is_set_apart_from_the_inputs(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.jsonl", '{"customer": 1, "age": 41}\n')

    assert read(path, "customer") == ([{"age": 41}], ["1"])


def test_key_that_is_an_input_stays_in_the_row(tmp_path: Path) -> None:
    csv_path = written(tmp_path, "rows.csv", "age\n41\n")
    json_path = written(tmp_path, "rows.jsonl", '{"age": 41}\n')

    assert read(csv_path, "age") == read(json_path, "age") == ([{"age": 41}], ["41"])


def test_rows_without_keys_are_sent_without(tmp_path: Path) -> None:
    assert read(written(tmp_path, "rows.json", '[{"age": 41}, [41]]')) == ([{"age": 41}, [41]], None)


def test_keys_of_a_document_are_kept(tmp_path: Path) -> None:
    assert read(written(tmp_path, "rows.json", '{"rows": [[41]], "keys": ["crm-1"]}')) == ([[41]], ["crm-1"])


@pytest.mark.parametrize("row", ['{"age": 41}', '{"customer": "", "age": 41}', '{"customer": true}', "[41]"])
def test_row_without_key_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    path = written(tmp_path, "rows.jsonl", row)

    with pytest.raises(BadInput, match=r"rows.jsonl, line 1: there is no key"):
        read(path, "customer")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("input 'age', row 1: expected int64, got \"x\"", "rows.csv: input 'age', line 5: expected int64, got \"x\""),
        ("row 0: expected 3 values, got 2", "rows.csv: line 2: expected 3 values, got 2"),
        ("row 7: is not in the chunk", "row 7: is not in the chunk"),
        ("something about row 1", "something about row 1"),
    ],
)
def test_server_error_names_the_line_in_place_of_the_row(message: str, told: str) -> None:
    chunk = [Row(2, {}), Row(5, {})]
    file = RowFile("rows.csv", RowFormat.CSV, (), iter(()))

    with pytest.raises(SignatureMismatch) as caught, errors_in_the_file(file, chunk):
        raise SignatureMismatch(message)

    assert caught.value.message == told
