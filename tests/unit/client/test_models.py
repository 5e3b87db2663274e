"""The registry through the client: uploads that are followed to their end, aliases, traffic, removal."""

import io
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from mlp.client import Canary, Client
from mlp.errors import AcceptanceFailed, BadInput, DeadlineExceeded, NothingToRollBack
from tests.unit.client.conftest import Web

MODEL = {
    "name": "churn",
    "created_at": "2026-03-01T12:00:00Z",
    "aliases": {"champion": "2"},
    "versions_count": 2,
    "latest_version": "2",
    "traffic": {"canary": {"alias": "challenger", "percent": 10}, "shadow": None},
    "settings": {"label_horizon_seconds": 86400, "record": "on"},
}
FIELD = {
    "name": "age",
    "dtype": "int64",
    "nullable": False,
    "minimum": None,
    "maximum": 130,
    "categories": None,
    "unknown": "refuse",
    "shape": [],
}
SIGNATURE = {
    "task": "classification",
    "inputs": [FIELD],
    "outputs": [],
    "classes": [0, 1],
    "extra_columns": "refuse",
    "positive_class": 1,
}
VERSION = {
    "model": "churn",
    "version": "2",
    "runtime": "sklearn",
    "task": "classification",
    "digest": "ab" * 32,
    "size_bytes": 1000,
    "signature": SIGNATURE,
    "metrics": {"auc": 0.7},
    "lineage": {},
    "example": [{"age": 3}],
    "environment": {"python": "3.11.7", "packages": {"scikit-learn": "1.9.1"}},
    "created_at": "2026-03-01T12:00:00Z",
    "aliases": ["champion"],
    "has_reference": False,
}
JOB = {
    "id": "j1",
    "kind": "registry.accept",
    "model": "churn",
    "state": "queued",
    "attempt": 0,
    "created_at": "2026-03-01T12:00:00Z",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mlp.toml").write_text('[model]\nruntime = "python"\n')
    (tmp_path / "model.py").write_text("def load(folder): ...\n")
    return tmp_path


def files_of(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_add_of_a_folder_uploads_it_and_returns_the_version(web: Web, client: Client, folder: Path) -> None:
    web.tell("POST", "/v1/models/churn/versions", JOB, status=202)
    web.tell("GET", "/v1/jobs/j1", {**JOB, "state": "succeeded", "result": VERSION})

    version = client.models.add("churn", folder, alias="challenger", allow_mismatch=True)

    assert (version.model, version.version, version.signature.inputs[0].maximum) == ("churn", "2", 130)
    assert web.requests[0].query == {"alias": "challenger", "allow_mismatch": "true"}
    assert web.requests[0].headers["content-type"] == "application/zip"
    assert set(files_of(web.requests[0].body)) == {"mlp.toml", "model.py"}


def test_add_of_an_estimator_uploads_a_folder_around_it(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/churn/versions", JOB, status=202)
    web.tell("GET", "/v1/jobs/j1", {**JOB, "state": "succeeded", "result": VERSION})
    estimator = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])

    client.models.add("churn", estimator, example=[{"age": 3.5}])

    files = files_of(web.requests[0].body)
    assert set(files) == {"mlp.toml", "model.joblib", "example.json"}
    assert tomllib.loads(files["mlp.toml"].decode())["inputs"] == {"age": "float64"}


def test_add_that_the_server_refuses_raises_why(web: Web, client: Client, folder: Path) -> None:
    web.tell("POST", "/v1/models/churn/versions", JOB, status=202)
    error = {"code": "acceptance_failed", "detail": "load raised ImportError"}
    web.tell("GET", "/v1/jobs/j1", {**JOB, "state": "failed", "error": error})

    with pytest.raises(AcceptanceFailed, match="load raised ImportError"):
        client.models.add("churn", folder)


def test_add_without_a_decision_in_time_names_the_job(web: Web, client: Client, folder: Path) -> None:
    web.tell("POST", "/v1/models/churn/versions", JOB, status=202)
    web.tell("GET", "/v1/jobs/j1", JOB)

    with pytest.raises(DeadlineExceeded, match="job j1"):
        client.models.add("churn", folder, timeout_seconds=0)


def test_add_of_what_is_no_model_sends_nothing(web: Web, client: Client) -> None:
    with pytest.raises(BadInput, match="a dict is not a model"):
        client.models.add("churn", {})

    assert web.requests == []


def test_show_and_list_parse_models(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/models/churn", MODEL)
    web.tell("GET", "/v1/models", {"models": [MODEL], "next": "c"})
    web.tell("GET", "/v1/models", {"models": [{**MODEL, "name": "other", "latest_version": None}], "next": None})

    shown, listed = client.models.show("churn"), client.models.list()

    assert shown.traffic.canary == Canary("challenger", 10)
    assert [model.name for model in listed] == ["churn", "other"]


def test_versions_and_signature_are_parsed(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/models/churn/versions", {"versions": [VERSION], "next": None})
    web.tell("GET", "/v1/models/churn/versions/champion", VERSION)

    versions, signature = client.models.versions("churn"), client.models.signature("churn")

    assert versions[0].environment.packages == {"scikit-learn": "1.9.1"}
    assert (signature.classes, signature.positive_class) == ((0, 1), 1)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str, Any]] = [
    ("alias", ("churn", "best", "2", "why"), {}, "PUT", "/aliases/best", {"version": "2", "reason": "why"}),
    ("promote", ("churn", "2"), {}, "POST", "/promote", {"version": "2", "reason": ""}),
    ("rollback", ("churn", "broken"), {}, "POST", "/rollback", {"reason": "broken"}),
    ("traffic", ("churn",), {}, "PUT", "/traffic", {"canary": None, "shadow": None}),
    (
        *("traffic", ("churn",), {"canary": ("challenger", 10), "shadow": "next"}, "PUT", "/traffic"),
        {"canary": {"alias": "challenger", "percent": 10}, "shadow": "next"},
    ),
    ("configure", ("churn",), {"record": "off"}, "PATCH", "", {"settings": {"record": "off"}}),
]


@pytest.mark.parametrize(("method", "arguments", "options", "verb", "path", "body"), CALLS)
def test_change_is_sent_and_returns_the_model(
    *, web: Web, client: Client, method: str, arguments: Any, options: Any, verb: str, path: str, body: Any
) -> None:
    web.tell(verb, f"/v1/models/churn{path}", MODEL)

    changed = getattr(client.models, method)(*arguments, **options)

    assert changed.name == "churn"
    assert web.requests[0].json == body


def test_alias_of_none_is_taken_away(web: Web, client: Client) -> None:
    web.tell("DELETE", "/v1/models/churn/aliases/best", MODEL)

    client.models.alias("churn", "best", None)

    assert web.requests[0].body == b""


def test_rollback_of_a_champion_that_never_moved_is_refused(web: Web, client: Client) -> None:
    document = {"status": 409, "code": "nothing_to_roll_back", "detail": "never moved"}
    web.tell("POST", "/v1/models/churn/rollback", document, status=409, content_type="application/problem+json")

    with pytest.raises(NothingToRollBack, match="never moved"):
        client.models.rollback("churn")


def test_history_is_parsed(web: Web, client: Client) -> None:
    move = {
        "alias": "champion",
        "from_version": None,
        "to_version": "1",
        "at": "2026-03-01T12:00:00Z",
        "reason": "",
        "kind": "set",
    }
    web.tell("GET", "/v1/models/churn/history", {"moves": [move], "next": None})

    moves = client.models.history("churn")

    assert (moves[0].from_version, moves[0].to_version) == (None, "1")


@pytest.mark.parametrize(("version", "path"), [(None, ""), ("2", "/versions/2")])
def test_remove_deletes_model_or_version(web: Web, client: Client, version: str | None, path: str) -> None:
    web.tell("DELETE", f"/v1/models/churn{path}", status=204)

    client.models.remove("churn", version)

    assert web.requests[0].method == "DELETE"
