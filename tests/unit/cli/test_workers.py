import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlp.cli.main import run
from mlp.cli.workers import state_of, worker_named
from mlp.client.fleet import Worker
from mlp.errors import BadInput, UnknownWorker
from tests.unit.cli.conftest import ServePages

ONE = Worker(
    "alpha-1", "alpha", 1, "0.1.0", ["mlp.high"], 2, "running", datetime(2026, 3, 1, tzinfo=UTC), 1.0, True, False
)
TWO = replace(ONE, id="alpha-12")
GONE = replace(ONE, id="beta-1", is_live=False)


@pytest.fixture
def served(serve_pages: ServePages) -> Callable[[list[Worker]], str]:
    """Starts a server that knows these workers; its address."""

    def start(workers: list[Worker]) -> str:
        verbs = {f"/v1/workers/{worker.id}/{verb}": worker for worker in workers for verb in ("drain", "undrain")}
        return serve_pages({"/v1/workers": {"workers": workers}, **verbs})

    return start


@pytest.mark.parametrize(
    ("worker", "state"),
    [
        (ONE, "running"),
        (replace(ONE, is_draining=True), "draining"),
        (replace(ONE, state="draining"), "draining"),
        (GONE, "gone"),
        (replace(GONE, state="stopped"), "stopped"),
    ],
)
def test_state_is_one_word(worker: Worker, state: str) -> None:
    assert state_of(worker) == state


@pytest.mark.parametrize(
    ("workers", "beginning", "found"),
    [
        ([ONE, TWO], "alpha-1", "alpha-1"),
        ([ONE, TWO], "alpha-12", "alpha-12"),
        ([TWO, GONE], "a", "alpha-12"),
        ([ONE, GONE, replace(GONE, id="beta-2", is_live=True)], "beta", "beta-2"),
    ],
)
def test_worker_is_found_by_the_beginning_of_its_id(workers: Sequence[Worker], beginning: str, found: str) -> None:
    assert worker_named(workers, beginning).id == found


def test_list_leaves_out_those_that_have_ended_unless_asked(
    served: Callable[[list[Worker]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = served([ONE, replace(TWO, state="stopped", is_live=False)])

    exit_codes = (run(["workers", "list", "--url", url]), run(["workers", "list", "--all", "--json", "--url", url]))

    text, _brace, document = capsys.readouterr().out.partition("{")
    assert exit_codes == (0, 0)
    assert [line.split()[:4] for line in text.splitlines()] == [
        ["ID", "STATE", "JOBS", "RELEASE"],
        ["alpha-1", "running", "2", "0.1.0"],
    ]
    assert [worker["id"] for worker in json.loads("{" + document)["workers"]] == ["alpha-1", "alpha-12"]


def test_drain_says_what_happens_and_how_to_take_it_back(
    served: Callable[[list[Worker]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = served([ONE])

    exit_codes = (
        run(["workers", "drain", "alpha", "--url", url]),
        run(["workers", "drain", "al", "--undo", "--url", url]),
    )

    printed = capsys.readouterr()
    assert exit_codes == (0, 0)
    assert printed.out.splitlines() == [
        "worker alpha-1 takes no more jobs within 5 s, and ends those it has",
        "worker alpha-1 takes jobs again within 5 s",
    ]
    assert printed.err == "Let it take jobs again: mlp workers drain --undo alpha-1\n"


def test_beginning_of_no_id_or_of_several_is_refused() -> None:
    with pytest.raises(UnknownWorker, match="mlp workers list"):
        worker_named([ONE], "gamma")
    with pytest.raises(BadInput, match="may be alpha-1, alpha-12"):
        worker_named([ONE, TWO], "alpha")


@pytest.mark.slow
def test_laptop_without_workers_says_who_runs_the_jobs(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    exit_codes = (
        run(["workers", "list", "--folder", f"{tmp_path}"]),
        run(["workers", "drain", "x", "--folder", f"{tmp_path}"]),
    )

    assert exit_codes == (0, 1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "threads of the server run jobs" in printed.err
    assert "no worker's id begins with 'x'" in printed.err
