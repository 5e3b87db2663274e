"""Decides from a history whether a promise was broken; knows no server, no thread and no clock.

After Jepsen's ``total-queue``: what was acknowledged must come out, what is uncertain may; and more, since a job has
a result that anybody may read again.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.history import Attempt, Event, Fault, Sight, canonical
from tests.faults.ledger import FINAL

#: While the database is away: longest wait for the refusal, its own time-out (5 s) and some room.
REFUSAL_SECONDS_MAX = 12.0
#: What is still in hand when the database goes, and what its return already serves.
_EDGE_SECONDS = 0.25


@dataclass(frozen=True)
class JobRow:
    """A job as the database has it at the end.

    Attributes:
        result_attempt: Of its row in job_results; None: there is none.
    """

    id: str
    key: str | None
    state: str
    attempt: int
    result_attempt: int | None
    result: bytes | None


@dataclass(frozen=True)
class Broken:
    """A promise that was broken: which, by which job, and what shows it."""

    promise: str
    job: str
    evidence: str


@dataclass
class Verdict:
    """What the checker found.

    Attributes:
        counts: How many of what there were, for the report.
    """

    broken: list[Broken] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, promise: str, job: str, evidence: str) -> None:
        self.broken.append(Broken(promise, job, evidence))


@dataclass(frozen=True)
class Evidence:
    """Everything that is known at the end of a run.

    Attributes:
        executions: Number of the job, nonce and process of each.
        executions_max: Executions of one job that are explained by as many faults.
    """

    events: Sequence[Event]
    rows: Sequence[JobRow]
    executions: Sequence[tuple[int, int, int]]
    run: str
    executions_max: int = 10


def check(evidence: Evidence) -> Verdict:
    """Every broken promise of a run."""
    verdict = Verdict()
    attempts = [event for event in evidence.events if isinstance(event, Attempt)]
    sights = [event for event in evidence.events if isinstance(event, Sight)]
    faults = [event for event in evidence.events if isinstance(event, Fault)]
    rows = {row.id: row for row in evidence.rows}
    _check_accepted(verdict, attempts, rows)
    _check_keys(verdict, attempts, evidence)
    _check_answers(verdict, attempts, sights)
    _check_sights(verdict, [sight for sight in sights if sight.state != "absent"], rows)
    _check_rows(verdict, evidence, {each.key: each.number for each in attempts})
    _check_executions(verdict, evidence)
    _check_faults(verdict, faults)
    _check_refusals(verdict, attempts, faults)
    _count(verdict, attempts, sights, faults, evidence)
    return verdict


def _check_accepted(verdict: Verdict, attempts: Iterable[Attempt], rows: dict[str, JobRow]) -> None:
    """Nothing accepted is lost: each has a row, and each row has come to its end."""
    for job_id, key in sorted({(each.job_id, each.key) for each in attempts if each.outcome == "accepted"}):
        row = rows.get(job_id)
        if row is None:
            verdict.add("nothing accepted is lost", job_id, f"key {key} was accepted, and there is no row")
        elif row.state not in FINAL:
            verdict.add("every job ends", job_id, f"it is {row.state} after the drain, attempt {row.attempt}")
        elif row.key != key:
            verdict.add("one key, one job", job_id, f"accepted for key {key}, and its row has {row.key}")


def _check_keys(verdict: Verdict, attempts: Iterable[Attempt], evidence: Evidence) -> None:
    """A key has at most one job, whatever was unknown; exactly one if accepted; and no job comes from nowhere."""
    ids_by_key: defaultdict[str, set[str]] = defaultdict(set)
    known, last = set(), dict[str, Attempt]()
    for each in attempts:
        known.add(each.key)
        if each.outcome == "accepted":
            ids_by_key[each.key].add(each.job_id)
        if each.outcome != "begun" and (each.key not in last or last[each.key].outcome != "accepted"):
            last[each.key] = each
    rows_by_key: defaultdict[str, set[str]] = defaultdict(set)
    for row in evidence.rows:
        if row.key is not None and row.key.startswith(f"{evidence.run}-"):
            rows_by_key[row.key].add(row.id)
    for key in sorted(known | set(rows_by_key)):
        ids = ids_by_key[key] | rows_by_key[key]
        if key not in known:
            verdict.add("no job without a request", key, f"jobs {sorted(ids)}")
        elif len(ids) > 1:
            verdict.add("one key, one job", key, f"jobs {sorted(ids)}")
        elif key not in last or last[key].outcome == "unknown":
            verdict.add("every request gets an answer", key, "it is unknown to the end")


def _check_answers(verdict: Verdict, attempts: Iterable[Attempt], sights: Iterable[Sight]) -> None:
    """Trouble around a server is not a defect of it; and what was accepted is never denied."""
    for each in attempts:
        if each.status == 500:
            verdict.add("no answer is 500", each.key, f"by {each.server} at {each.ended:.1f}")
    for sight in sights:
        if sight.state == "absent":
            verdict.add("nothing accepted is lost", sight.job_id, f"404 by {sight.way} of {sight.server}")


def _check_sights(verdict: Verdict, sights: Iterable[Sight], rows: dict[str, JobRow]) -> None:
    """One end and one result for each job, for everybody and for ever, and no look back from it."""
    by_job: defaultdict[str, list[Sight]] = defaultdict(list)
    for sight in sights:
        by_job[sight.job_id].append(sight)
    for job_id, seen in sorted(by_job.items()):
        ends = {(sight.state, sight.answer) for sight in seen if sight.state in FINAL}
        row = rows.get(job_id)
        if row is not None and row.state in FINAL:
            ends.add((row.state, _text_of(row.result)))
        if len(ends) > 1:
            verdict.add("one visible result per job", job_id, f"{len(ends)} different ends: {sorted(ends)}")
        first_end = min((sight.ended for sight in seen if sight.state in FINAL), default=float("inf"))
        back = [sight for sight in seen if sight.state not in FINAL and sight.began > first_end]
        if back:
            verdict.add("terminal states never change", job_id, f"{back[0].state} by {back[0].way} after its end")


def _text_of(result: bytes | None) -> str:
    return "" if result is None else canonical(json.loads(result))


def _check_rows(verdict: Verdict, evidence: Evidence, numbers: dict[str, int]) -> None:
    """Results belong to the last attempt, and to an execution of this job's own input."""
    nonces: defaultdict[int, set[int]] = defaultdict(set)
    for number, nonce, _pid in evidence.executions:
        nonces[number].add(nonce)
    for row in evidence.rows:
        if row.key not in numbers:
            continue
        if (row.state == "succeeded") != (row.result_attempt is not None):
            verdict.add("one result row per succeeded job", row.id, f"{row.state}, result {row.result_attempt}")
        if row.result_attempt is None or row.result is None:
            continue
        if row.result_attempt != row.attempt:
            verdict.add(
                "nothing is written under a stale token",
                row.id,
                f"attempt {row.attempt}, result of attempt {row.result_attempt}",
            )
        number, nonce = said_by(json.loads(row.result))
        if number != numbers[row.key]:
            verdict.add("a job has its own result", row.id, f"key {row.key}, result of number {number}")
        elif nonce not in nonces[number]:
            verdict.add("a result is of an execution", row.id, f"nonce {nonce} is not among {sorted(nonces[number])}")


def said_by(result: dict[str, Any]) -> tuple[int, int]:
    """Number and nonce in a job's result."""
    outputs = result["predictions"][0]["outputs"]
    return outputs["number"], outputs["nonce"]


def _check_executions(verdict: Verdict, evidence: Evidence) -> None:
    counts = Counter(number for number, _nonce, _pid in evidence.executions if number >= 0)
    for number, count in counts.items():
        if count > evidence.executions_max:
            verdict.add("executions are bounded", str(number), f"{count} executions")


def _check_faults(verdict: Verdict, faults: Iterable[Fault]) -> None:
    """After healing the next job passes in time."""
    for fault in faults:
        name = f"fault {fault.number} {fault.kind}"
        if fault.trouble:
            verdict.add("faults heal", name, fault.trouble)
        if fault.probe_seconds < 0:
            verdict.add("a probe passes after healing", name, "it never did")
        elif fault.probe_seconds > fault.probe_seconds_max:
            verdict.add(
                "a probe passes after healing",
                name,
                f"{fault.probe_seconds:.2f} s, and {fault.probe_seconds_max:g} s are promised ({fault.target})",
            )


def _check_refusals(verdict: Verdict, attempts: Sequence[Attempt], faults: Iterable[Fault]) -> None:
    """While the database is away nothing is accepted, and that is said soon."""
    ended = [each for each in attempts if each.outcome != "begun"]
    for since, until in (fault.database_away for fault in faults if fault.database_away is not None):
        for each in ended:
            is_inside = each.began > since + _EDGE_SECONDS and each.ended < until - _EDGE_SECONDS
            if is_inside and each.outcome == "accepted":
                verdict.add("without a database nothing is accepted", each.key, f"{each.status} for {each.job_id}")
            elif since < each.began < until and each.ended - each.began > REFUSAL_SECONDS_MAX:
                verdict.add("a refusal comes soon", each.key, f"{each.ended - each.began:.1f} s, {each.outcome}")


def _count(
    verdict: Verdict,
    attempts: Sequence[Attempt],
    sights: Sequence[Sight],
    faults: Sequence[Fault],
    evidence: Evidence,
) -> None:
    executed = Counter(number for number, _nonce, _pid in evidence.executions if number >= 0)
    states = Counter(row.state for row in evidence.rows)
    outcomes = Counter(each.outcome for each in attempts)
    verdict.counts = {
        "faults": len(faults),
        "jobs accepted": len({each.job_id for each in attempts if each.outcome == "accepted"}),
        "attempts": outcomes["begun"],
        "attempts unknown": outcomes["unknown"],
        "attempts rejected": outcomes["rejected"],
        "sights": len(sights),
        **{f"jobs {state}": count for state, count in sorted(states.items())},
        "executions": sum(executed.values()),
        "jobs executed twice or more": sum(1 for count in executed.values() if count > 1),
        "executions of one job at most": max(executed.values(), default=0),
    }
