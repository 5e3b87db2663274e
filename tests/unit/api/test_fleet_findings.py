from datetime import UTC, datetime
from typing import Any

from mlp import __version__
from mlp.api.fleet_findings import Fleet, causes_of, components_of
from mlp.client.examination import Cause, Status
from mlp.jobs.queues import Failures, QueueState
from mlp.jobs.workers import SeenWorker, WorkerPhase

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def worker(name: str, **changes: Any) -> SeenWorker:
    values = {
        "id": f"{name}-7",
        "host": name,
        "pid": 7,
        "release": __version__,
        "queues": ("mlp.high", "mlp.default"),
        "processes": 2,
        "state": WorkerPhase.RUNNING,
        "started_at": AT,
        "age_seconds": 1.0,
        "up_seconds": 5000.0,
        "is_draining": False,
        **changes,
    }
    return SeenWorker(**values)


def queue(name: str = "mlp.default", **changes: Any) -> QueueState:
    values = {
        "name": name,
        "queued": 0,
        "retrying": 0,
        "running": 0,
        "oldest_seconds": None,
        "unpublished": 0,
        "unpublished_seconds": None,
        "workers": 1,
        "is_known": True,
        "is_paused": False,
        "reason": None,
        "paused_at": None,
        **changes,
    }
    return QueueState(**values)


def causes(
    workers: list[SeenWorker] | None = None,
    queues: list[QueueState] | None = None,
    failures: list[Failures] | None = None,
    *,
    is_stack: bool = True,
) -> list[Cause]:
    everybody = [worker("one")] if workers is None else workers
    return list(causes_of(Fleet(everybody, queues or [], failures or []), is_stack=is_stack))


def test_fleet_in_order_has_no_causes() -> None:
    assert causes(queues=[queue(queued=5, oldest_seconds=2.0, unpublished=1, unpublished_seconds=1.0)]) == []


def test_workers_are_parts_with_their_release() -> None:
    workers = [
        worker("one"),
        worker("two", is_draining=True),
        worker("gone", age_seconds=40.0),
        worker("stopped", state=WorkerPhase.STOPPED),
        worker("old", age_seconds=5000.0),
    ]

    parts = list(components_of(Fleet(workers, [], [])))

    assert [(part.name, part.status, part.version) for part in parts] == [
        ("worker one-7", Status.OK, __version__),
        ("worker two-7", Status.NOTE, __version__),
        ("worker gone-7", Status.WARNING, __version__),
    ]
    assert parts[0].detail == "2 processes, mlp.high mlp.default"
    assert parts[2].detail == "not heard of for 40 s"


def test_no_live_worker_is_a_failure_of_the_stack_and_none_on_a_laptop() -> None:
    (gone,) = causes([worker("one", age_seconds=100.0)])

    assert (gone.kind, gone.status) == ("worker", Status.FAILED)
    assert gone.remedy.startswith("docker compose up -d worker")
    assert causes([], is_stack=False) == []


def test_worker_that_fell_silent_beside_others_is_a_warning() -> None:
    (gone,) = causes([worker("one"), worker("two", age_seconds=50.0)])

    assert (gone.subject, gone.status) == ("two-7", Status.WARNING)


def test_worker_that_started_again_on_its_host_is_not_gone() -> None:
    assert causes([worker("one", id="new", up_seconds=30.0), worker("one", id="old", age_seconds=60.0)]) == []


def test_host_that_starts_again_and_again_is_a_failure() -> None:
    starts = [worker("one", id=f"run-{number}", up_seconds=100.0 * number, age_seconds=20.0) for number in (1, 2)]

    (restarting,) = causes([worker("one", id="run-0", up_seconds=5.0), *starts])

    assert (restarting.subject, restarting.detail) == ("host one", "has started 3 times in the last 10 minutes")


def test_workers_of_another_release_are_named() -> None:
    (mixed,) = causes([worker("one"), worker("two", release="0.0.9"), worker("three", release="0.0.9")])

    assert (mixed.kind, mixed.detail) == ("versions", f"the api is {__version__}, and workers are 2 of 0.0.9")


def test_paused_queue_with_jobs_says_why_and_is_no_other_cause() -> None:
    paused = queue(queued=1200, oldest_seconds=500.0, workers=0, is_paused=True, reason="bad model")

    (cause,) = causes(queues=[paused, queue("mlp.low", is_paused=True)])

    assert (cause.detail, cause.remedy) == (
        "paused with 1,200 jobs waiting: bad model",
        "mlp queues resume mlp.default",
    )


def test_queue_that_no_worker_takes_is_a_failure_with_jobs_and_a_warning_without() -> None:
    with_jobs, without = causes(queues=[queue(queued=3, workers=0), queue("mlp.low", workers=0)])

    assert (with_jobs.status, with_jobs.detail) == (Status.FAILED, "3 jobs queued, and no worker takes them")
    assert (without.status, without.subject) == (Status.WARNING, "mlp.low")
    assert "CELERY_QUEUE" in with_jobs.remedy


def test_queue_of_a_drained_worker_says_how_to_take_it_back() -> None:
    (cause,) = causes([worker("one", is_draining=True)], [queue(queued=3, workers=0)])

    assert cause.remedy == "mlp workers drain --undo one-7"


def test_queue_that_settings_forgot_is_named_with_the_setting() -> None:
    empty = queue("mlp.old", workers=0, is_known=False)

    (cause,) = causes(queues=[queue("mlp.nightly", queued=1, workers=0, is_known=False), empty])

    assert "add nightly to MLP_QUEUES" in cause.remedy


def test_queue_of_a_laptop_without_threads_says_what_takes_it() -> None:
    (cause,) = causes([], [queue(queued=1, workers=0), queue("mlp.low", workers=0)], is_stack=False)

    assert cause.subject == "mlp.default"
    assert "MLP_JOB_WORKERS" in cause.remedy


def test_jobs_that_wait_long_need_more_workers() -> None:
    late = queue(queued=9, oldest_seconds=120.0, workers=2)

    (stack,), (laptop,) = causes(queues=[late]), causes(queues=[late], is_stack=False)

    assert stack.remedy == "more workers: docker compose up -d --scale worker=3"
    assert "docker" not in laptop.remedy


def test_wake_ups_that_do_not_get_through_are_named() -> None:
    (cause,) = causes(queues=[queue(queued=9, oldest_seconds=30.0, unpublished=7, unpublished_seconds=30.0)])

    assert (cause.kind, cause.detail) == ("publishing", "7 jobs without a wake-up, the oldest for 30 s")


def test_failed_jobs_are_told_by_reason_with_an_example() -> None:
    (cause,) = causes(failures=[Failures("inference.predict", "churn", "model_failed", 12, "0195")])

    assert (cause.subject, cause.detail) == (
        "inference.predict of churn",
        "12 failed in the last hour with model_failed",
    )
    assert cause.remedy.startswith("mlp jobs show 0195")
