from datetime import UTC, datetime

import pytest
import typer

from mlp.cli.jobs import RESULT_CHARACTERS_SHOWN, _print_job
from mlp.cli.output import Output
from mlp.client.results import Job, JobError, JobProgress

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_job_that_runs_shows_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("0195", "registry.accept", "churn", "running", 1, AT, AT, progress=JobProgress(3, 10, "loading"))

    _print_job(Output(is_json=False), job)

    assert "progress  3 of 10 loading" in capsys.readouterr().out.splitlines()


def test_job_that_failed_is_the_exit_code_of_who_has_waited(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("0195", "inference.predict", None, "failed", 3, AT, AT, AT, error=JobError("model_failed", "it raised"))

    _print_job(Output(is_json=False), job)
    with pytest.raises(typer.Exit) as caught:
        _print_job(Output(is_json=False), job, was_awaited=True)

    assert caught.value.exit_code == 1
    assert "error     it raised" in capsys.readouterr().out.splitlines()


def test_job_with_a_long_result_shows_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("0195", "inference.predict", "churn", "succeeded", 1, AT, AT, AT, result={"predictions": [0] * 1000})

    _print_job(Output(is_json=False), job)

    text = "".join(capsys.readouterr().out.split())
    assert '{"predictions":[0,0' in text
    assert text.endswith("(allofit:--json)")
    assert len(text) < RESULT_CHARACTERS_SHOWN + 300
