import json
from typing import Any

import pytest
import typer

from mlp.cli.main import run
from mlp.cli.many_jobs import JobFilter, check_one_or_many
from tests.unit.cli.conftest import ServePages


def job(job_id: str, state: str = "failed") -> dict[str, Any]:
    return {
        "id": job_id,
        "kind": "inference.predict",
        "model": "churn",
        "state": state,
        "attempt": 1,
        "created_at": "2026-03-01T12:00:00Z",
    }


#: What a server with two failed jobs answers, of which one cannot be retried any more.
LIST = "/v1/jobs?model=churn&state=failed&limit=100"
PAGES = {
    LIST: {"jobs": [job("j2"), job("j1")], "next": None},
    "/v1/jobs/j1/retry": job("j3", "queued"),
    "/v1/jobs/j2/retry": {"status": 409, "code": "conflict", "detail": "it is under way"},
}


def test_filter_in_words() -> None:
    assert str(JobFilter("churn", "failed", None, "2026-03-01")) == "failed jobs of model churn since 2026-03-01"
    assert str(JobFilter(None, "queued", "registry.accept", None)) == "queued jobs of kind registry.accept"


@pytest.mark.parametrize(
    ("job_id", "filters"), [(None, {"model": None}), ("j1", {"model": "churn"}), ("j1", {"model": None, "since": "x"})]
)
def test_neither_or_both_is_wrong_usage(job_id: str | None, filters: dict[str, str | None]) -> None:
    with pytest.raises(typer.BadParameter):
        check_one_or_many(job_id, filters)


def test_one_or_many_is_right() -> None:
    check_one_or_many("j1", {"model": None, "state": None})
    check_one_or_many(None, {"model": None, "state": "failed"})


def test_retry_of_many_passes_over_those_that_have_moved_on(
    serve_pages: ServePages, capsys: pytest.CaptureFixture[str]
) -> None:
    url = serve_pages(PAGES)

    assert run(["jobs", "retry", "--model", "churn", "--yes", "--url", url]) == 0

    captured = capsys.readouterr()
    assert captured.out == "retried 1 failed jobs of model churn\n"
    assert captured.err == "1 had moved on and were passed over\n"


def test_question_is_asked_and_nobody_there_is_an_error(
    serve_pages: ServePages, capsys: pytest.CaptureFixture[str]
) -> None:
    url = serve_pages(PAGES)

    assert run(["jobs", "retry", "--model", "churn", "--url", url]) == 1

    assert "add --yes" in capsys.readouterr().err


def test_no_job_is_no_question(serve_pages: ServePages, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve_pages({"/v1/jobs?model=churn&state=queued&limit=100": {"jobs": [], "next": None}})

    assert run(["jobs", "cancel", "--model", "churn", "--url", url, "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {"jobs": [], "passed_over": 0}
