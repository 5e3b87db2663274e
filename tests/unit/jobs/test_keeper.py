from mlp.jobs.job import Progress
from mlp.jobs.keeper import Keeper
from mlp.jobs.service import JobService
from mlp.jobs.task import JobContext, JobStopped, StopReason


def keeper_of(jobs: JobService) -> Keeper:
    return Keeper(jobs.leases, lambda _overdue: None)


def begun(jobs: JobService) -> JobContext:
    jobs.submit("test.echo", None, b"{}")
    (claim,) = jobs.leases.claim(["test.echo"])
    return JobContext(None, claim)


def reason_of(context: JobContext) -> StopReason | None:
    try:
        context.check_cancelled()
    except JobStopped as stopped:
        return stopped.reason
    return None


def test_tick_writes_new_progress(jobs: JobService) -> None:
    keeper, context = keeper_of(jobs), begun(jobs)
    keeper.add(context)

    context.progress(1, 2)
    keeper.tick()

    assert jobs.get(context.job_id).progress == Progress(1, 2)


def test_cancel_stops_the_attempts_of_that_job_alone(jobs: JobService) -> None:
    keeper, wanted, other = keeper_of(jobs), begun(jobs), begun(jobs)
    keeper.add(wanted)
    keeper.add(other)

    keeper.cancel(jobs.get(wanted.job_id))

    assert reason_of(wanted) is StopReason.CANCELLED
    assert reason_of(other) is None


def test_stop_all_reaches_only_what_is_under_way(jobs: JobService) -> None:
    keeper, running, ended = keeper_of(jobs), begun(jobs), begun(jobs)
    keeper.add(running)
    keeper.add(ended)
    keeper.remove(ended)

    keeper.stop_all()

    assert reason_of(running) is StopReason.LEASE_LOST
    assert reason_of(ended) is None
