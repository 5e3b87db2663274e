from datetime import UTC, datetime
from typing import Any

import pytest

from mlp.cli.formats import RowFormat
from mlp.cli.labels import LabelColumns, LabelReader, zone_named
from mlp.cli.row_files import Row
from mlp.client.results import Label, Scalar, Signature
from mlp.errors import BadInput


def reader_of(classes: tuple[Scalar, ...] | None, row_format: RowFormat = RowFormat.CSV, **columns: Any) -> LabelReader:
    task = "regression" if classes is None else "classification"
    named = LabelColumns(**{"label": "churned", "key": "customer", **columns})
    return LabelReader(named, Signature(task, (), classes=classes), row_format)


def label_of(classes: tuple[Scalar, ...] | None, text: Any, row_format: RowFormat = RowFormat.CSV) -> Scalar:
    return reader_of(classes, row_format).read(Row(2, {"customer": "crm-1", "churned": text})).label


@pytest.mark.parametrize(
    ("classes", "text", "label"),
    [
        ((False, True), "true", True),
        ((False, True), "FALSE", False),
        ((False, True), "1", True),
        ((False, True), "0.0", False),
        ((0, 1), "1", 1),
        ((0, 1), "1.0", 1),
        ((0, 1), "true", 1),
        ((0.0, 1.0), "1", 1.0),
        ((1, 2, 3), "2.0", 2),
        (("no", "yes"), "yes", "yes"),
        (("1", "2"), "1", "1"),
        (None, "12.5", 12.5),
    ],
)
def test_label_text_becomes_a_class_of_the_model(classes: tuple[Scalar, ...] | None, text: str, label: Scalar) -> None:
    found = label_of(classes, text)

    assert found == label
    assert type(found) is type(label)


@pytest.mark.parametrize(
    ("classes", "text", "message"),
    [
        ((False, True), "maybe", '"maybe" is no class of the model: false, true'),
        ((False, True), "2", '"2" is no class'),
        (("no", "yes"), "Yes", '"Yes" is no class of the model: no, yes'),
        (("no", "yes"), " yes", '" yes" is no class'),
        ((1, 2, 3), "true", '"true" is no class'),
        ((1, "1"), "1", '"1" may be more than one class'),
        ((False, True), "", "'churned' is empty"),
        (None, "high", 'expected a number, got "high"'),
        (None, "nan", 'expected a number, got "nan"'),
    ],
)
def test_label_text_that_is_no_class_is_refused(classes: tuple[Scalar, ...] | None, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        label_of(classes, text)


def test_conversions_that_are_not_as_written_are_counted() -> None:
    reader = reader_of((False, True))

    for text in ("1", "1", "true"):
        reader.read(Row(2, {"customer": "crm-1", "churned": text}))

    assert reader.conversions == {("1", "true"): 2}


def test_label_of_json_keeps_its_type() -> None:
    assert label_of((False, True), True, RowFormat.JSONL) is True
    assert label_of((False, True), "true", RowFormat.JSONL) == "true"
    assert label_of((False, True), 1, RowFormat.JSONL) == 1

    with pytest.raises(BadInput, match="a label is text, a number, true or false"):
        label_of((False, True), [True], RowFormat.JSONL)


def test_label_by_id_names_its_row() -> None:
    reader = reader_of(("no", "yes"), key=None, id="answer", row="row")

    label = reader.read(Row(2, {"answer": "0195", "row": "3", "churned": "no"}))

    assert label == Label("no", id="0195", row=3)


def test_label_with_key_time_and_source() -> None:
    reader = reader_of(("no", "yes"), time="closed_at", source="crm")

    label = reader.read(Row(2, {"customer": 4711, "churned": "no", "closed_at": "2026-03-01T12:00:00Z"}))

    assert label == Label("no", key="4711", at="2026-03-01T12:00:00Z", source="crm")


def test_time_without_offset_needs_a_zone() -> None:
    values = {"customer": "crm-1", "churned": "no", "closed_at": "2026-07-01 12:00:00"}
    zone = zone_named("Europe/Berlin")

    with pytest.raises(BadInput, match="--zone says in which zone"):
        reader_of(("no", "yes"), time="closed_at").read(Row(2, values))

    label = reader_of(("no", "yes"), time="closed_at", zone=zone).read(Row(2, values))
    assert label.at == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-10-25 02:30:00", "2026-03-29 02:30:00"])
def test_time_that_happens_twice_or_never_is_refused(text: str) -> None:
    reader = reader_of(("no", "yes"), time="closed_at", zone=zone_named("Europe/Berlin"))

    with pytest.raises(BadInput, match="twice or never in Europe/Berlin"):
        reader.read(Row(2, {"customer": "crm-1", "churned": "no", "closed_at": text}))


def test_time_with_offset_keeps_it_beside_a_zone() -> None:
    reader = reader_of(("no", "yes"), time="closed_at", zone=zone_named("Europe/Berlin"))

    label = reader.read(Row(2, {"customer": "crm-1", "churned": "no", "closed_at": "2026-07-01T12:00:00Z"}))

    assert label.at == datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"customer": "", "churned": "no"}, "'customer' is empty"),
        ({"churned": "no"}, "'customer' is empty"),
        ({"customer": True, "churned": "no"}, "'customer' must be text, got True"),
        ({"customer": 1.5, "churned": "no"}, "'customer' must be text, got 1.5"),
        (["crm-1", "no"], "expected an object with 'churned', got a list"),
    ],
)
def test_row_without_what_it_needs_is_refused(values: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        reader_of(("no", "yes")).read(Row(2, values))


def test_row_index_must_be_one() -> None:
    with pytest.raises(BadInput, match="'row' is the index of a row, from 0"):
        reader_of(("no", "yes"), key=None, id="answer", row="row").read(
            Row(2, {"answer": "0195", "row": "-1", "churned": "no"})
        )


@pytest.mark.parametrize("name", ["Nowhere/Land", "../etc/passwd", ""])
def test_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is no time zone"):
        zone_named(name)
