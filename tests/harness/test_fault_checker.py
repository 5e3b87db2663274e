"""The checker of the fault harness on made-up histories: each promise, kept and broken."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.checker import Evidence, JobRow, check
from tests.faults.history import Attempt, Event, Fault, HistoryLog, Sight, canonical, read_executions, read_history

RUN = "run-1"
BEGUN = Attempt("run-1-7", 7, "api-1", "begun", 1.0)
ACCEPTED = Attempt("run-1-7", 7, "api-1", "accepted", 1.0, 1.1, 202, "job-7")
UNKNOWN = Attempt("run-1-7", 7, "api-1", "unknown", 0.5, 0.6, 0)


def result(number: int = 7, nonce: int = 70) -> bytes:
    return json.dumps({"id": "i", "predictions": [{"outputs": {"number": number, "nonce": nonce}}]}).encode()


ROW = JobRow("job-7", "run-1-7", "succeeded", 1, 1, result())
DONE = Sight("job-7", "wait", "api-2", 2.0, 2.1, "succeeded", canonical(json.loads(result())))
RUNNING = Sight("job-7", "get", "api-1", 1.2, 1.3, "running")
FAULT = Fault(1, "kill-worker", "worker-1", 1.0, 2.0, 0.5, 0.2, 2.0, 1)


def broken(
    *events: Event, rows: Sequence[JobRow] = (ROW,), executions: Sequence[tuple[int, int, int]] = ((7, 70, 1),)
) -> list[str]:
    """The promises that these break."""
    return [each.promise for each in check(Evidence(events, rows, executions, RUN)).broken]


def test_history_that_keeps_every_promise_is_passed() -> None:
    assert broken(replace_outcome(BEGUN), UNKNOWN, BEGUN, ACCEPTED, RUNNING, DONE, FAULT) == []


def replace_outcome(attempt: Attempt) -> Attempt:
    """The same attempt, begun earlier."""
    return Attempt(attempt.key, attempt.number, attempt.server, "begun", 0.5)


def test_accepted_job_without_a_row_is_lost() -> None:
    assert broken(BEGUN, ACCEPTED, rows=[]) == ["nothing accepted is lost"]


def test_accepted_job_that_has_not_ended_is_told() -> None:
    assert broken(BEGUN, ACCEPTED, rows=[replace(ROW, state="queued", result_attempt=None, result=None)]) == [
        "every job ends"
    ]


def test_refused_request_has_no_job_and_needs_none() -> None:
    refused = Attempt("run-1-7", 7, "api-1", "rejected", 1.0, 1.1, 422)

    assert broken(BEGUN, refused, rows=[], executions=[]) == []


def test_request_that_is_unknown_to_the_end_is_told() -> None:
    assert broken(BEGUN, UNKNOWN) == ["every request gets an answer"]


def test_second_job_of_a_key_is_told() -> None:
    second = replace(ROW, id="job-8", result=result(nonce=71))

    found = broken(BEGUN, ACCEPTED, rows=[ROW, second], executions=[(7, 70, 1), (7, 71, 1)])

    assert found == ["one key, one job"]


def test_job_of_a_key_that_nobody_sent_is_told() -> None:
    stranger = JobRow("job-9", "run-1-9", "cancelled", 0, None, None)

    assert broken(BEGUN, ACCEPTED, rows=[ROW, stranger]) == ["no job without a request"]


def test_jobs_of_other_origin_are_left_alone() -> None:
    stranger = JobRow("job-9", None, "queued", 0, None, None)

    assert broken(BEGUN, ACCEPTED, rows=[ROW, stranger]) == []


def test_two_visible_results_of_one_job_are_told() -> None:
    other = Sight("job-7", "get", "api-1", 3.0, 3.1, "succeeded", canonical(json.loads(result(nonce=71))))

    assert broken(BEGUN, ACCEPTED, DONE, other) == ["one visible result per job"]


def test_result_that_differs_from_the_row_is_told() -> None:
    row = replace(ROW, result=result(nonce=71))

    assert broken(BEGUN, ACCEPTED, DONE, rows=[row], executions=[(7, 70, 1), (7, 71, 2)]) == [
        "one visible result per job"
    ]


def test_end_that_is_taken_back_is_told() -> None:
    late = Sight("job-7", "again", "api-1", 5.0, 5.1, "running")

    assert broken(BEGUN, ACCEPTED, DONE, late) == ["terminal states never change"]


def test_sight_that_began_before_the_end_was_seen_may_be_older() -> None:
    overlapping = Sight("job-7", "get", "api-1", 2.05, 2.2, "running")

    assert broken(BEGUN, ACCEPTED, DONE, overlapping) == []


def test_result_of_an_older_attempt_is_told() -> None:
    assert broken(BEGUN, ACCEPTED, DONE, rows=[replace(ROW, attempt=2)]) == ["nothing is written under a stale token"]


def test_succeeded_job_without_a_result_is_told() -> None:
    assert broken(BEGUN, ACCEPTED, rows=[replace(ROW, result_attempt=None, result=None)]) == [
        "one result row per succeeded job"
    ]


def test_result_of_another_job_is_told() -> None:
    row = replace(ROW, result=result(number=8))

    assert broken(BEGUN, ACCEPTED, rows=[row]) == ["a job has its own result"]


def test_result_of_no_execution_is_told() -> None:
    assert broken(BEGUN, ACCEPTED, DONE, executions=[(7, 71, 1)]) == ["a result is of an execution"]


def test_answer_500_is_told() -> None:
    broken_server = Attempt("run-1-7", 7, "api-1", "unknown", 0.5, 0.6, 500)

    assert broken(BEGUN, broken_server, ACCEPTED, DONE) == ["no answer is 500"]


def test_accepted_job_that_a_server_denies_is_told() -> None:
    denied = Sight("job-7", "get", "api-1", 2.0, 2.1, "absent")

    assert broken(BEGUN, ACCEPTED, denied, DONE) == ["nothing accepted is lost"]


def test_executions_are_counted_and_bounded() -> None:
    many = [(7, nonce, 1) for nonce in range(70, 90)]

    verdict = check(Evidence([BEGUN, ACCEPTED, DONE], [ROW], many, RUN, executions_max=10))

    assert [each.promise for each in verdict.broken] == ["executions are bounded"]
    assert verdict.counts["executions of one job at most"] == 20
    assert verdict.counts["jobs executed twice or more"] == 1


@pytest.mark.parametrize(
    ("probe_seconds", "trouble", "promises"),
    [
        (2.5, "", ["a probe passes after healing"]),
        (-1.0, "", ["a probe passes after healing"]),
        (0.1, "it does not start", ["faults heal"]),
    ],
)
def test_fault_that_does_not_heal_in_time_is_told(probe_seconds: float, trouble: str, promises: list[str]) -> None:
    fault = Fault(1, "kill-worker", "worker-1", 1.0, 2.0, 0.5, probe_seconds, 2.0, 1, trouble)

    assert broken(BEGUN, ACCEPTED, DONE, fault) == promises


def away(since: float, until: float) -> Fault:
    return Fault(1, "kill-postgres", "postgres", since, until, 0.5, 0.2, 10.0, 1, "", (since, until))


def test_acceptance_without_a_database_is_told() -> None:
    assert broken(BEGUN, ACCEPTED, DONE, away(0.0, 10.0)) == ["without a database nothing is accepted"]


def test_acceptance_across_the_database_s_return_is_fine() -> None:
    assert broken(BEGUN, ACCEPTED, DONE, away(0.0, 1.05)) == []


def test_late_refusal_without_a_database_is_told() -> None:
    late = Attempt("run-1-7", 7, "api-1", "rejected", 2.0, 22.0, 503)
    accepted = Attempt("run-1-7", 7, "api-1", "accepted", 40.0, 40.1, 202, "job-7")

    assert broken(BEGUN, late, accepted, away(1.0, 30.0)) == ["a refusal comes soon"]


def test_events_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    log = HistoryLog(tmp_path / "history.jsonl")
    for event in (BEGUN, ACCEPTED, DONE, away(1.0, 2.0)):
        log.write(event)
    log.sync()
    log.close()

    assert list(read_history(log.path)) == [BEGUN, ACCEPTED, DONE, away(1.0, 2.0)]


def test_half_a_line_of_a_killed_process_is_no_execution(tmp_path: Path) -> None:
    (tmp_path / "executions").write_text("7 70 1\n8 80 1\n9 9")

    assert read_executions(tmp_path / "executions") == [(7, 70, 1), (8, 80, 1)]
