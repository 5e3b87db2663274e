"""The fault harness's choices: the same for the same seed, every kind once a round, kinds by their names."""

import random

import pytest

from tests.faults.__main__ import SHORT, chosen_kinds, parse
from tests.faults.history import HistoryLog
from tests.faults.ledger import Ledger
from tests.faults.nemesis import KINDS, Schedule
from tests.faults.submissions import any_request


def names(seed: int, number: int) -> list[str]:
    return [kind.name for kind, _source in Schedule(list(KINDS), seed).round(number)]


def test_schedule_of_a_seed_is_always_the_same() -> None:
    assert names(7, 0) == names(7, 0)
    assert names(7, 0) != names(8, 0)
    assert names(7, 0) != names(7, 1)


def test_round_has_every_kind_once() -> None:
    assert sorted(names(7, 3)) == sorted(KINDS)


def test_fault_repeated_alone_makes_the_same_choices() -> None:
    among_all = {kind.name: source.random() for kind, source in Schedule(list(KINDS), 7).round(0)}
    ((kind, source),) = Schedule(["kill-worker"], 7).round(0)

    assert source.random() == among_all[kind.name]


def test_short_run_has_twelve_kinds_that_exist() -> None:
    assert len(set(SHORT)) == 12
    assert set(SHORT) <= set(KINDS)


def test_star_stands_for_the_rest_of_a_name() -> None:
    assert chosen_kinds(parse(["--faults", "kill-redis,reset-api-*"])) == [
        "kill-redis",
        "reset-api-postgres",
        "reset-api-rabbitmq",
        "reset-api-redis",
    ]


def test_unknown_kind_ends_with_a_sentence() -> None:
    with pytest.raises(SystemExit, match="there is no kind of fault 'kill-nobody'"):
        chosen_kinds(parse(["--faults", "kill-nobody"]))


def test_kind_that_the_machine_cannot_cause_is_left_out_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLP_TEST_FAKETIME", "/nowhere/libfaketime.so")

    assert chosen_kinds(parse(["--faults", "clock-back,kill-redis"])) == ["kill-redis"]
    assert "LEFT OUT: clock-back needs libfaketime" in capsys.readouterr().out


def test_requests_number_each_job_once_and_name_its_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = HistoryLog(tmp_path_factory.mktemp("log") / "history.jsonl")
    ledger, source = Ledger(log, "run-1"), random.Random(7)

    requests = [any_request(ledger, source) for _ in range(500)]
    log.close()

    numbers = [number for request in requests for number in request.numbers]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(len(request.keys) == len(request.numbers) for request in requests)
    assert {request.path.rpartition("/")[2] for request in requests} == {"jobs", "bulk", "predict"}
