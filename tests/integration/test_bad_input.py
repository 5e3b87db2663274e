"""Clients' mistakes on a real server: a clear answer each, never a 500, and the server goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models import sign_model
from tests.servers import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("served")
    running = ServerProcess(folder / "data", MLP_BODY_BYTES_MAX="100000").wait_ready()
    running.client.models.add("sign", sign_model(folder / "sign"))
    running.client.models.add("日本語 modèle", sign_model(folder / "unicode"))
    yield running
    running.kill()


def check(server: ServerProcess, answer: Any, status: int, code: str, words: str = "") -> None:
    document = json.loads(answer.data)
    assert (answer.status, document["code"]) == (status, code), document
    assert words in document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]
    assert server.get("/health/live").status == 200


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "malformed_body", "not JSON"),
        (b"{", "malformed_body", "not JSON"),
        (b"\xff\xfe", "malformed_body", ""),
        (b"[]", "malformed_body", 'put the rows into {"rows": [...]}'),
        (b"{}", "malformed_body", 'put the rows into {"rows": [...]}'),
        (b'{"x": 1, "y": 2}', "malformed_body", 'put the rows into {"rows": [...]}'),
        (b'{"rows": 5}', "malformed_body", "$.rows"),
        (b'{"rows": []}', "signature_mismatch", "rows is empty"),
        (b'{"rows": [[1, 2]], "nope": 1}', "malformed_body", "unknown field `nope`"),
        (b'{"rows": [[1, NaN]]}', "malformed_body", "not JSON"),
        (b'{"rows": [[1, Infinity]]}', "malformed_body", "not JSON"),
        (b'{"rows": [[1, 1e999]]}', "malformed_body", ""),
        (b'{"rows": [[1, "2"]]}', "signature_mismatch", "input 'y', row 0: expected float64, got \"2\""),
        (b'{"rows": [[1, null]]}', "signature_mismatch", "got null"),
        (b'{"rows": [{"x": 1}]}', "signature_mismatch", "input 'y', row 0: missing"),
        (b'{"rows": [{"x": 1, "y": 2, "z": 3}]}', "signature_mismatch", "'z' is not an input"),
        (b'{"rows": [[1, 2]], "keys": []}', "bad_input", "0 keys for 1 rows"),
        (b'{"rows": [[1, 2]], "keys": [""]}', "malformed_body", "1 to 255 characters"),
        (b'{"rows": [[1, 2]], "at": "yesterday"}', "bad_input", "RFC 3339"),
        (b'{"rows": ' + b"[" * 5000 + b"]" * 5000 + b"}", "malformed_body", ""),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models/sign/predict", "/v1/models/sign/jobs"])
def test_bad_body_of_rows_is_400_and_says_where(
    server: ServerProcess, path: str, body: bytes, code: str, words: str
) -> None:
    check(server, server.send("POST", path, body), 400, code, words)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/v1/models/nope/predict", "unknown_model"),
        ("POST", "/v1/models/sign/versions/9/predict", "unknown_version"),
        ("POST", "/v1/models/sign/versions/nobody/predict", "unknown_version"),
        ("GET", "/v1/models/nope", "unknown_model"),
        ("GET", "/v1/models/sign/versions/9", "unknown_version"),
        ("GET", "/v1/models/nope/quality", "unknown_model"),
        ("GET", "/v1/models/nope/drift", "unknown_model"),
        ("GET", "/v1/jobs/nope", "unknown_job"),
        ("GET", "/v1/inferences/nope", "unknown_inference"),
        ("GET", "/v1/nothing", "not_found"),
    ],
)
def test_unknown_name_is_404_with_its_code(server: ServerProcess, method: str, path: str, code: str) -> None:
    check(server, server.send(method, path, b'{"rows": [[1, 2]]}'), 404, code)


@pytest.mark.parametrize(
    ("path", "limit_bytes"),
    [
        ("/v1/models/sign/predict", 100_000),
        ("/v1/models/sign/jobs", 100_000),
        ("/v1/feedback", 100_000),
        ("/v1/models/sign/promote", 1 << 20),
    ],
)
def test_huge_body_is_413_by_route(server: ServerProcess, path: str, limit_bytes: int) -> None:
    check(server, server.send("POST", path, b" " * (limit_bytes + 1)), 413, "body_too_large", str(limit_bytes))


def test_huge_body_under_v2_is_the_protocols_error(server: ServerProcess) -> None:
    answer = server.send("POST", "/v2/models/sign/infer", b" " * 100_001)

    assert answer.status == 413
    assert answer.headers["content-type"] == "application/json"
    assert "100000" in json.loads(answer.data)["error"]


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ({"model": "nope", "labels": []}, 404, "unknown model"),
        ({"model": "sign"}, 400, "labels"),
        ({"model": "sign", "labels": [{"label": True, "key": "a", "extra": 1}]}, 400, "extra"),
        ({"model": "sign", "labels": "x"}, 400, "$.labels"),
    ],
)
def test_bad_feedback_is_refused_whole(server: ServerProcess, document: Any, status: int, words: str) -> None:
    answer = server.ask("/v1/feedback", document)

    assert answer.status == status
    assert words in json.loads(answer.data)["detail"]


def test_bad_labels_are_rejected_one_by_one_and_the_others_are_kept(server: ServerProcess) -> None:
    labels = [
        {"label": True, "key": "good"},
        {"label": "perhaps", "key": "a"},
        {"label": 1, "key": "a"},
        {"label": True},
        {"label": True, "key": "a", "id": "b"},
        {"label": True, "key": "a", "at": "noon"},
        {"key": "a"},
        {"label": True, "key": "a", "at": "2999-01-01T00:00:00Z"},
    ]

    report = json.loads(server.ask("/v1/feedback", {"model": "sign", "labels": labels}).data)

    assert report["parked"] == 1
    assert [item["index"] for item in report["rejected"]] == [1, 2, 3, 4, 5, 6, 7]
    details = [item["detail"] for item in report["rejected"]]
    assert details[0] == 'label "perhaps" is not one of the model\'s classes: false, true'
    assert "'label' is missing" in details[5]
    assert "more than a day from now" in details[6]


def test_labels_that_wait_and_are_sent_again_are_repeated_and_add_nothing(server: ServerProcess) -> None:
    at = "2026-03-01T12:00:00Z"
    labels = [
        {"label": True, "key": "awaited"},
        {"label": False, "key": "at a time", "at": at},
        {"label": True, "id": "x"},
    ]
    document = {"model": "sign", "labels": labels}

    first = json.loads(server.ask("/v1/feedback", document).data)
    parked = json.loads(server.get("/v1/models/sign/feedback/summary").data)["parked"]
    again = json.loads(server.ask("/v1/feedback", document).data)

    assert (first["parked"], first["repeated"]) == (3, 0)
    assert (again["parked"], again["repeated"]) == (0, 3)
    assert json.loads(server.get("/v1/models/sign/feedback/summary").data)["parked"] == parked


@pytest.mark.parametrize("path", ["/v1/models/sign/quality", "/v1/models/sign/drift", "/v1/inferences", "/v1/jobs"])
def test_moment_in_a_query_may_be_a_day_and_a_wrong_one_is_one_sentence(server: ServerProcess, path: str) -> None:
    assert server.get(f"{path}?since=2026-03-01").status == 200
    check(server, server.get(f"{path}?since=yesterday"), 400, "bad_input", '"yesterday" is neither a day')


def test_unicode_model_name_is_served_under_its_path(server: ServerProcess) -> None:
    answer = server.client.predict("日本語 modèle", [[1, 1]])

    assert answer.model == "日本語 modèle"


@pytest.mark.parametrize("name", ["%2e%2e", "a%00b", "%20", "x" * 300])
def test_hostile_model_name_is_refused(server: ServerProcess, name: str) -> None:
    answer = server.send("POST", f"/v1/models/{name}/versions", b"PK", content_type="application/zip")

    assert 400 <= answer.status < 500


@pytest.mark.parametrize("body", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_upload_that_is_no_model_is_refused(server: ServerProcess, body: bytes) -> None:
    answer = server.send("POST", "/v1/models/fresh/versions", body, content_type="application/zip")

    if answer.status == 202:
        job = json.loads(answer.data)
        assert server.client.jobs.wait(job["id"], timeout_seconds=30).state == "failed"
    else:
        assert 400 <= answer.status < 500
    assert server.get("/v1/models/fresh").status == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=%21%21", "since=yesterday", "limit=999999", "model=%00", "key=%00"]
)
def test_bad_query_is_400(server: ServerProcess, query: str) -> None:
    assert server.get(f"/v1/inferences?{query}").status in (200, 400)
    assert server.get(f"/v1/jobs?{query}").status in (200, 400)
    assert server.get(f"/v1/models?{query}").status in (200, 400)
