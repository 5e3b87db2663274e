from typing import Any

import pytest

from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat
from mlp.batches.row_parser import RowParser, check_options
from mlp.errors import BadInput, SignatureMismatch
from mlp.signature import DType, Field, Signature, Task

SIGNATURE = Signature(
    Task.REGRESSION,
    (Field("age", DType.INT64, minimum=0), Field("plan", DType.STRING), Field("income", DType.FLOAT64, nullable=True)),
)
HEADER = ("id", "plan", "age", "income")
CSV = Options(key="id", missing=("NA",))
JSONL = Options(format=BatchFormat.JSONL, key="id")


def parser(options: Options = CSV, header: tuple[str, ...] | None = HEADER) -> RowParser:
    return RowParser(SIGNATURE, options, header)


def reason(content: Any, options: Options = CSV, header: tuple[str, ...] | None = HEADER) -> str:
    with pytest.raises(BadInput) as caught:
        parser(options, header).read(content)
    return caught.value.message


def test_cells_are_read_in_the_types_of_the_inputs() -> None:
    row = parser().read(["c7", "plus", "41", "NA"])

    assert row.json == {"age": 41, "plan": "plus", "income": None}
    assert row.values == (41, "plus", None)
    assert row.key == "c7"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["c7", "plus", "old", "1"], "input 'age': expected int64, got \"old\""),
        (
            ["c7", "plus", "x", "y"],
            "input 'age': expected int64, got \"x\"; input 'income': expected float64, got \"y\"",
        ),
        (["c7", "plus", "-1", "1"], "input 'age': expected at least 0, got -1"),
        (["c7", "plus", "1", "null"], "missing=null reads it as missing"),
        (["", "plus", "1", "1"], "there is no key: 'id' must be text or a whole number"),
        (["k" * 256, "plus", "1", "1"], "'id' is no key"),
        (["a\0b", "plus", "1", "1"], "'id' is no key"),
    ],
)
def test_bad_cells_are_named(cells: list[str], message: str) -> None:
    assert message in reason(cells)


def test_of_many_bad_cells_the_first_are_named() -> None:
    fields = tuple(Field(f"x{number}", DType.INT64) for number in range(6))
    header = tuple(field.name for field in fields)

    with pytest.raises(SignatureMismatch, match=r"'x2': .*; and 3 more$"):
        RowParser(Signature(Task.REGRESSION, fields), Options(), header).read(["?"] * 6)


def test_json_line_is_read_and_its_key_is_no_input() -> None:
    row = parser(JSONL, None).read('{"id": 7, "age": 41.0, "plan": "plus"}')

    assert row.values == (41, "plus", None)
    assert row.key == "7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a row as JSON"),
        ("3", "not a row as JSON"),
        ('{"age": 1, "plan": "a"}', "there is no key"),
        ('{"id": true, "age": 1, "plan": "a"}', "there is no key"),
        ('[1, "a", 2.5]', "there is no key"),
        ('{"id": 1, "age": "1", "plan": "a"}', "input 'age': expected int64, got \"1\""),
        ('{"id": 1, "plan": "a"}', "input 'age': missing, and it may not be null"),
        ('{"id": 1, "age": 1, "plan": "a", "z": 1}', "'z' is not an input of this model"),
        ("[" * 100_000, "not a row as JSON"),
    ],
)
def test_bad_json_line_is_named(text: str, message: str) -> None:
    assert message in reason(text, JSONL, None)


def test_extra_members_are_left_out_where_asked_for() -> None:
    options = Options(format=BatchFormat.JSONL, ignore_extra=True)

    assert parser(options, None).read('{"age": 1, "plan": "a", "z": 1}').values == (1, "a", None)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (("id", "plan"), "has no column 'age', which the model needs"),
        (("id;plan;age",), "add delimiter=;"),
        (("plan", "age"), "has no column 'id' for the key"),
        (("id", "plan", "age", "z"), "no inputs of the model: 'z'"),
    ],
)
def test_header_that_does_not_fit_is_refused(header: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parser(CSV, header)


def test_key_of_a_bad_row_is_found_where_it_can_be() -> None:
    assert parser().find_key(["c7", "plus", "old", "1"]) == "c7"
    assert parser(JSONL, None).find_key('{"id": "c7"}') == "c7"
    assert parser(JSONL, None).find_key("{") is None
    assert parser().find_key(None) is None


@pytest.mark.parametrize(
    "options",
    [
        Options(delimiter=""),
        Options(delimiter="ab"),
        Options(delimiter='"'),
        Options(delimiter="\n"),
        Options(key=""),
        Options(format=BatchFormat.JSONL, missing=("NA",)),
        Options(format=BatchFormat.JSONL, delimiter=";"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: Options) -> None:
    with pytest.raises(BadInput):
        check_options(options)
