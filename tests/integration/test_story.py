"""The whole loop on a real server, on SQLite and PostgreSQL: add, predict, record, label, promote, roll back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mlp import Label
from mlp.errors import SignatureMismatch, UnknownModel
from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest, serve: Serve) -> ServerProcess:
    if request.param == "sqlite":
        return serve()
    return serve(DATABASE_URL=request.getfixturevalue("postgres_database_url"))


@pytest.mark.slow
def test_story_from_first_version_to_rollback(server: ServerProcess, tmp_path: Path) -> None:
    client = server.client

    first = client.models.add("sign", sign_model(tmp_path / "one"))
    answer = client.predict("sign", [{"x": 1, "y": 1}, [-1.0, -1.0]], keys=["a", "b"], at=NOON)

    assert (first.version, first.aliases) == ("1", ("champion",))
    assert [prediction.label for prediction in answer.predictions] == [True, False]
    assert answer.predictions[0].probabilities is not None
    assert answer.predictions[0].probabilities["true"] == 1 / (1 + np.exp(-2.0))

    early = client.feedback("sign", [Label(True, key="c", at=NOON + timedelta(hours=1))])
    client.predict("sign", [[0.5, 0.5]], keys=["c"], at=NOON)
    labels = [Label(True, key="a", at=NOON + timedelta(hours=2)), Label(True, id=answer.id, row=1)]
    until(lambda: _is_recorded(server, answer.id), 10)
    report = client.feedback("sign", labels)
    again = client.feedback("sign", [labels[0], Label(False, key="a", at=NOON + timedelta(hours=3))])

    assert early.parked == 1
    assert (report.matched, report.parked, report.rejected) == (2, 0, [])
    assert (again.repeated, again.changed) == (1, 1)
    until(lambda: [row.label for row in client.inferences("sign", key="c")] == [True], 10)
    assert client.inference(answer.id).rows[0].label is False

    second = client.models.add("sign", sign_model(tmp_path / "two", bias=-10.0))
    assert client.predict("sign", [[1, 1]]).version == "1"
    assert client.predict("sign", [[1, 1]], version=second.version).predictions[0].label is False
    client.models.promote("sign", second.version, reason="better")
    assert client.predict("sign", [[1, 1]]).version == "2"
    client.models.rollback("sign", reason="worse")
    assert client.predict("sign", [[1, 1]]).version == "1"
    assert [move.kind for move in client.models.history("sign")][:2] == ["rollback", "promote"]


@pytest.mark.slow
def test_queued_prediction_gives_the_answer_that_an_online_one_gives(server: ServerProcess, tmp_path: Path) -> None:
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))

    job = client.jobs.submit("sign", [[1, 1], [-3, 1]], keys=["a", None], idempotency_key="k-1")
    twin = client.jobs.submit("sign", [[1, 1], [-3, 1]], keys=["a", None], idempotency_key="k-1")
    done = client.jobs.wait(job.id, timeout_seconds=20)
    online = client.predict("sign", [[1, 1], [-3, 1]], keys=["a", None])

    assert twin.id == job.id
    assert done.state == "succeeded"
    assert [item["label"] for item in done.result["predictions"]] == [
        prediction.label for prediction in online.predictions
    ]


@pytest.mark.slow
def test_refusals_come_back_as_the_errors_that_they_are(server: ServerProcess, tmp_path: Path) -> None:
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))

    with pytest.raises(UnknownModel, match="did you mean"):
        client.predict("sgn", [[1, 1]])
    with pytest.raises(SignatureMismatch, match="input 'y', row 1: expected float64, got \"abc\""):
        client.predict("sign", [[1, 1], [1, "abc"]])


@pytest.mark.slow
def test_canary_is_sticky_and_shadow_is_recorded_off_the_path(server: ServerProcess, tmp_path: Path) -> None:
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))
    client.models.add("sign", sign_model(tmp_path / "two", bias=-10.0), alias="challenger")

    client.models.traffic("sign", canary=("challenger", 50), shadow=None)
    by_key = {key: {client.predict("sign", [[1, 1]], keys=[key]).version for _turn in range(3)} for key in "abcdefghij"}
    client.models.traffic("sign", canary=None, shadow="challenger")
    watched = client.predict("sign", [[1, 1]], keys=["watched"])

    assert all(len(versions) == 1 for versions in by_key.values())
    assert {version for versions in by_key.values() for version in versions} == {"1", "2"}
    assert watched.version == "1"
    until(lambda: len(client.inferences("sign", key="watched")) == 2, 10)


def _is_recorded(server: ServerProcess, inference_id: str) -> bool:
    return server.get(f"/v1/inferences/{inference_id}").status == 200
