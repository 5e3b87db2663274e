"""The methods of Client: which call each makes, and what it makes of the answer."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mlp.client import Client, Label, LabelRefusal, Prediction
from mlp.errors import BadInput, ServerUnreachable, SignatureMismatch, Unauthorised
from tests.unit.client.conftest import Reply, Request, Web

ANSWER = {
    "id": "i1",
    "model": "flights",
    "version": "3",
    "predictions": [{"key": "k", "label": True, "probabilities": {"false": 0.25, "true": 0.75}}, {"value": 12}],
}
REPORT = {"matched": 1, "parked": 0, "repeated": 0, "changed": 0, "late": 0, "rejected": []}
AT = datetime(2013, 3, 1, 11, tzinfo=UTC)


def test_predict_sends_rows_and_parses_the_answer(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/flights/predict", ANSWER)

    answer = client.predict("flights", [{"carrier": "UA", "delay": np.float64(1.5)}, ["AA", None]], keys=["k", None])

    assert web.requests[0].json == {"rows": [{"carrier": "UA", "delay": 1.5}, ["AA", None]], "keys": ["k", None]}
    assert web.requests[0].headers["authorization"] == "Bearer secret"
    assert answer.predictions[0] == Prediction(key="k", label=True, probabilities={"false": 0.25, "true": 0.75})
    assert answer.predictions[1].value == 12.0


def test_predict_with_a_version_asks_that_version(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/flights/versions/challenger/predict", ANSWER)

    client.predict("flights", [[1]], version="challenger", at=AT)

    assert web.requests[0].json == {"rows": [[1]], "at": "2013-03-01T11:00:00Z"}


def test_problem_is_raised_as_the_error_of_its_code(web: Web, client: Client) -> None:
    document = {"status": 400, "code": "signature_mismatch", "detail": "input 'age', row 3", "request_id": "r9"}
    web.tell("POST", "/v1/models/m/predict", document, status=400, content_type="application/problem+json")

    with pytest.raises(SignatureMismatch, match="input 'age', row 3") as raised:
        client.predict("m", [[1]])

    assert raised.value.extra["request_id"] == "r9"


def test_missing_key_is_unauthorised(web: Web) -> None:
    document = {"status": 401, "code": "unauthorised", "detail": "give a key"}
    web.tell("GET", "/v1/models/m", document, status=401, content_type="application/problem+json")

    with Client(web.url) as anonymous, pytest.raises(Unauthorised, match="give a key"):
        anonymous.models.show("m")

    assert "authorization" not in web.requests[0].headers


def test_address_and_key_come_from_the_settings(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLP_URL", web.url)
    monkeypatch.setenv("MLP_API_KEY", "from-settings")
    web.tell("GET", "/health/ready", {"status": "ready"})

    with Client() as configured:
        is_ready = configured.ready().is_ready

    assert is_ready
    assert web.requests[0].headers["authorization"] == "Bearer from-settings"


def test_no_server_at_the_default_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLP_URL", raising=False)

    with Client("http://localhost:1") as lonely, pytest.raises(ServerUnreachable, match='start one with "mlp serve"'):
        lonely.ready()


def test_feedback_sends_labels_by_id_and_by_key(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/feedback", REPORT)

    report = client.feedback("flights", [Label(True, id="i1", row=2), Label("late", key="k", at=AT, source="crm")])

    assert report.matched == 1
    assert web.requests[0].json == {
        "model": "flights",
        "labels": [
            {"id": "i1", "row": 2, "label": True},
            {"key": "k", "label": "late", "at": "2013-03-01T11:00:00Z", "source": "crm"},
        ],
        "check": False,
    }


def test_feedback_of_many_labels_is_one_report(web: Web, client: Client) -> None:
    refusal = {"index": 3, "code": "bad_input", "detail": "not a class"}

    def reply(request: Request) -> Reply:
        count = len(request.json["labels"])
        document = {**REPORT, "matched": count - 1, "rejected": [refusal]}
        return Reply(body=json.dumps(document).encode())

    web.tell_reply("POST", "/v1/feedback", reply)

    report = client.feedback("flights", (Label(1, key=str(number)) for number in range(20_005)), check=True)

    assert [len(request.json["labels"]) for request in web.requests] == [10_000, 10_000, 5]
    assert report.matched == 20_002
    assert [refusal.index for refusal in report.rejected] == [3, 10_003, 20_003]
    assert report.rejected[0] == LabelRefusal(3, "bad_input", "not a class")


def test_feedback_without_labels_asks_nobody(web: Web, client: Client) -> None:
    assert client.feedback("flights", []).matched == 0
    assert web.requests == []


@pytest.mark.parametrize("label", [Label(1), Label(1, id="i", key="k")])
def test_label_that_names_no_single_prediction_is_refused(client: Client, label: Label) -> None:
    with pytest.raises(BadInput, match="label 1: name its prediction by either id or key"):
        client.feedback("flights", [Label(1, key="k"), label])


def test_quality_passes_the_question_on(web: Web, client: Client) -> None:
    window = {
        "start": "2013-03-01T00:00:00Z",
        "end": "2013-04-01T00:00:00Z",
        "predictions": 10,
        "labelled": 9,
        "coverage": 0.9,
        "is_mature": True,
        "label_delay_p50_seconds": 60,
        "scores": {"auc": 0.7, "brier": None},
        "intervals": {"auc": [0.6, 0.8]},
    }
    document = {"model": "f", "task": "classification", "by": "month", "as_of": "2013-05-01T00:00:00Z"}
    web.tell("GET", "/v1/models/f/quality", {**document, "label_horizon_seconds": 86400, "windows": [window]})

    quality = client.quality("f", by="month", since=AT, as_of="2013-05-01T00:00:00Z", version="1")

    assert web.requests[0].query == {
        **{"by": "month", "since": "2013-03-01T11:00:00Z", "as_of": "2013-05-01T00:00:00Z", "version": "1"}
    }
    assert quality.windows[0].scores == {"auc": 0.7, "brier": None}
    assert quality.windows[0].intervals == {"auc": (0.6, 0.8)}
    assert quality.windows[0].start == datetime(2013, 3, 1, tzinfo=UTC)


def test_drift_is_parsed_with_its_features(web: Web, client: Client) -> None:
    feature = {
        "feature": "temp",
        "distance": 0.4,
        "measure": "psi",
        "threshold": 0.2,
        "p_value": 0.001,
        "is_drifted": True,
        "missing_ratio": 0.0,
        "unknown_ratio": None,
    }
    window: dict[str, Any] = {"start": "2013-03-01T00:00:00Z", "end": "2013-03-08T00:00:00Z", "rows": 7}
    window |= {"drifted": ["temp"], "drifted_ratio": 0.1, "features": [feature]}
    reference = {"rows": 100, "source": "reference.csv"}
    document = {"model": "f", "version": "1", "reference": reference, "by": "week", "windows": [window]}
    web.tell("GET", "/v1/models/f/drift", document)

    drift = client.drift("f", by="week")

    assert drift.reference is not None
    assert drift.reference.rows == 100
    assert drift.windows[0].features[0].is_drifted
    assert drift.windows[0].drifted == ("temp",)


def test_inference_is_parsed_with_its_rows(web: Web, client: Client) -> None:
    row = {"row": 0, "key": None, "inputs": {"a": 1}, "output": {"label": 1}, "label": 0, "labelled_at": None}
    document = {"id": "i", "model": "f", "version": "1", "role": "champion", "mode": "online", "rows": [row]}
    times = {"at": "2013-03-01T11:00:00Z", "recorded_at": "2013-03-01T11:00:01Z"}
    web.tell("GET", "/v1/inferences/i", {**document, **times})

    inference = client.inference("i")

    assert inference.rows[0].inputs == {"a": 1}
    assert inference.at == AT


def test_inferences_follow_the_pages_up_to_the_limit(web: Web, client: Client) -> None:
    row = {"id": "i", "row": 0, "key": "k", "model": "f", "version": "1", "at": "2013-03-01T11:00:00Z"}
    web.tell("GET", "/v1/inferences", {"inferences": [row] * 100, "next": "c1"})
    web.tell("GET", "/v1/inferences", {"inferences": [row] * 50, "next": "c2"})

    rows = client.inferences("f", key="k", limit=150)

    assert len(rows) == 150
    assert [request.query for request in web.requests] == [
        {"model": "f", "key": "k", "limit": "100"},
        {"model": "f", "key": "k", "limit": "50", "cursor": "c1"},
    ]


def test_feedback_summary_is_parsed(web: Web, client: Client) -> None:
    document = {"predictions": 10, "labelled": 4, "coverage": 0.4, "parked": 1, "repeated": 0, "changed": 0}
    delays = {"delay_p50_seconds": 3.5, "delay_p95_seconds": None}
    web.tell("GET", "/v1/models/f/feedback/summary", {**document, **delays})

    summary = client.feedback_summary("f")

    assert (summary.coverage, summary.delay_p50_seconds) == (0.4, 3.5)


def test_ready_of_a_server_that_cannot_predict_is_an_answer(web: Web, client: Client) -> None:
    components = {"database": {"status": "unavailable", "detail": "refused"}}
    web.tell("GET", "/health/ready", {"status": "unavailable", "components": components, "models": {}}, status=503)

    readiness = client.ready()

    assert not readiness.is_ready
    assert readiness.components["database"].detail == "refused"


def test_one_client_serves_many_threads(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/flights/predict", ANSWER)
    answers: list[str] = []

    threads = [threading.Thread(target=lambda: answers.append(client.predict("flights", [[1]]).id)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert answers == ["i1"] * 10
