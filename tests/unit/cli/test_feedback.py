import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlp.cli import feedback
from mlp.cli.feedback import FeedbackTotals, RejectedRow
from mlp.cli.labels import LabelColumns
from mlp.cli.output import Output
from mlp.cli.row_files import opened
from mlp.errors import BadInput, Unavailable

COLUMNS = LabelColumns("churned", key="customer")
VERSION = {
    "model": "churn",
    "version": "1",
    "runtime": "sklearn",
    "task": "classification",
    "digest": "0" * 64,
    "size_bytes": 1,
    "signature": {"task": "classification", "inputs": [], "classes": [False, True]},
    "environment": {},
    "metrics": {},
    "lineage": {},
    "example": [],
    "created_at": "2026-03-01T00:00:00Z",
    "aliases": ["champion"],
    "has_reference": False,
}


def report(document: dict[str, Any]) -> dict[str, Any]:
    """Everything matches, but the key "bad", which is rejected."""
    keys = [label["key"] for label in document["labels"]]
    rejected = [{"index": index, "code": "bad_input", "detail": "no"} for index, key in enumerate(keys) if key == "bad"]
    counts = {"parked": 0, "repeated": 0, "changed": 0, "late": 0}
    return {"matched": len(keys) - len(rejected), **counts, "rejected": rejected}


def answers(answer: Any = report) -> dict[tuple[str, str], Any]:
    return {("GET", "/v1/models/churn/versions/champion"): VERSION, ("POST", "/v1/feedback"): answer}


def labels_file(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def send(client: Any, path: Path, columns: LabelColumns = COLUMNS, *, check: bool = False) -> FeedbackTotals:
    with opened(path) as file:
        return feedback._send(Output(is_json=False), client, "churn", file, columns, check=check)


def test_feedback_rejected_rows_carry_the_line_of_the_file(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    client, _transport = scripted(answers())
    path = labels_file(tmp_path, "customer,churned\na,true\n\nbad,true\nb,maybe\nc,false\n")

    totals = send(client, path)

    assert (totals.rows, totals.matched) == (4, 2)
    assert totals.rejected == [
        RejectedRow(4, "bad_input", "no"),
        RejectedRow(5, "bad_input", '"maybe" is no class of the model: false, true'),
    ]


def test_feedback_large_file_goes_in_several_requests(
    tmp_path: Path, scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "LABELS_PER_REQUEST", 2)
    client, transport = scripted(answers())
    path = labels_file(tmp_path, "customer,churned\na,1\nb,0\nc,1\nbad,1\nd,1\n")

    totals = send(client, path, check=True)

    assert [len(body["labels"]) for _method, _path, body in transport.sent if body is not None] == [2, 2, 1]
    assert all(body["check"] for _method, _path, body in transport.sent if body is not None)
    assert [each.number for each in totals.rejected] == [5]
    assert totals.matched == 4


def test_feedback_conversions_are_told(
    tmp_path: Path, scripted: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client, transport = scripted(answers())

    send(client, labels_file(tmp_path, "customer,churned\na,1\nb,0\nc,1\n"))

    assert capsys.readouterr().err == 'read "0" as false once\nread "1" as true 2 times\n'
    assert [label["label"] for label in transport.sent[-1][2]["labels"]] == [True, False, True]


def test_feedback_that_breaks_off_tells_what_is_stored(
    tmp_path: Path,
    scripted: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(feedback, "LABELS_PER_REQUEST", 1)
    away = {"status": 503, "code": "unavailable", "detail": "not now"}
    client, _transport = scripted(answers(lambda body: report(body) if body["labels"][0]["key"] == "a" else away))

    with pytest.raises(Unavailable):
        send(client, labels_file(tmp_path, "customer,churned\na,true\nb,true\n"))

    assert "the first 1 rows are stored: send the whole file again" in capsys.readouterr().err


def test_feedback_column_that_is_not_there_is_named(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    client, _transport = scripted(answers())

    with pytest.raises(BadInput, match=r"has no column 'churned'; it has 'customer', 'left'"):
        send(client, labels_file(tmp_path, "customer,left\na,true\n"))


def test_feedback_json_lines_keep_their_types(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    client, transport = scripted(answers())

    totals = send(client, labels_file(tmp_path, '{"customer": "a", "churned": true}\n[1]\n', "labels.jsonl"))

    assert transport.sent[-1][2]["labels"] == [{"key": "a", "label": True}]
    assert [each.number for each in totals.rejected] == [2]


def test_feedback_outcome_is_printed_with_the_rejected_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = FeedbackTotals(rows=3, matched=2, rejected=[RejectedRow(4, "bad_input", "'churned' is empty")])

    with opened(labels_file(tmp_path, "customer,churned\n")) as file:
        feedback._print(Output(is_json=False), "churn", totals, file, check=True)

    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split() == ["matched", "2", "tied", "to", "their", "prediction"]
    assert printed.out.splitlines()[-1] == "line 4: 'churned' is empty"
    assert printed.err == "nothing was written: --check only looks\n"


def test_feedback_outcome_as_json_has_every_rejected_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rejected = [RejectedRow(line, "bad_input", "no") for line in range(2, 40)]

    with opened(labels_file(tmp_path, "customer,churned\n")) as file:
        feedback._print(Output(is_json=True), "churn", FeedbackTotals(rejected=rejected), file, check=False)

    document = json.loads(capsys.readouterr().out)
    assert len(document["rejected"]) == 38
    assert document["rejected"][0] == {"line": 2, "code": "bad_input", "detail": "no"}


def test_feedback_outcome_names_some_rejected_lines_and_counts_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rejected = [RejectedRow(line, "bad_input", "no") for line in range(2, 40)]

    with opened(labels_file(tmp_path, "customer,churned\n")) as file:
        feedback._print(Output(is_json=False), "churn", FeedbackTotals(rejected=rejected), file, check=False)

    assert capsys.readouterr().out.splitlines()[-1] == "and 18 more; --json lists all of them"
