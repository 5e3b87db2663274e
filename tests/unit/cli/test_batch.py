from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from mlp.cli.batch import _facts, _print_batches, _print_run
from mlp.cli.output import Output
from mlp.client.batches import Batch, BatchError, RowError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH = Batch("0195", "churn", "3", "csv", "collect", "succeeded", 41_000, 2, 2000, 2000, 0, 1234.5, AT, finished_at=AT)


def test_run_without_bad_rows_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    _print_run(Output(is_json=False), BATCH, Path("out.csv"), [], is_continued=True)

    printed = capsys.readouterr()
    assert printed.out == "out.csv: 2,000 rows by version 3 of churn, 1,234 rows/s\n"
    assert "Went on with batch 0195" in printed.err


def test_run_with_bad_rows_shows_the_first_and_ends_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        _print_run(
            Output(is_json=False),
            replace(BATCH, rows_bad=12),
            Path("out.csv"),
            [RowError(7, "no number")],
            is_continued=False,
        )

    assert caught.value.exit_code == 1
    assert capsys.readouterr().out.endswith("12 bad rows, the first of them:\n  line 7: no number\n")


def test_list_shows_how_far_each_batch_is(capsys: pytest.CaptureFixture[str]) -> None:
    running = replace(BATCH, state="running", rows_done=500, rows_bad=3, finished_at=None)

    _print_batches(Output(is_json=False), [running, replace(BATCH, state="receiving", rows=0)])

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["0195", "churn", "running", "2,000", "25.0%", "3"]
    assert lines[2].split() == ["0195", "churn", "receiving", "0", "-", "0"]


def test_facts_of_a_failed_batch_say_why() -> None:
    failed = replace(
        BATCH,
        state="failed",
        finished_at=AT + timedelta(seconds=90),
        error=BatchError("signature_mismatch", "line 7: no number", 7),
    )

    facts = dict(_facts(failed))

    assert facts["error"] == "line 7: no number"
    assert facts["took"] == "1 min 30 s"
    assert facts["file"] == "41.0 kB, 2,000 rows, csv"
