from mlp.clock import now
from mlp.jobs.job import Job
from mlp.jobs.states import JobState
from mlp.jobs.waiters import Waiters

JOB = Job("job", "test.echo", None, "default", 0, JobState.SUCCEEDED, 1, 3, False, now())


def test_wake_reaches_everybody_who_waits_for_the_job() -> None:
    waiters = Waiters()
    with waiters.watching("job") as first, waiters.watching("job") as second, waiters.watching("other") as other:
        waiters.wake("job", JOB)

        assert (first.result(0), second.result(0)) == (JOB, JOB)
        assert not other.done()


def test_wake_passes_over_a_waiter_that_gave_up() -> None:
    waiters = Waiters()
    with waiters.watching("job") as future:
        future.cancel()

        waiters.wake("job", JOB)

        assert future.cancelled()


def test_leaving_forgets_the_waiter() -> None:
    waiters = Waiters()
    with waiters.watching("job"), waiters.watching("job"):
        during = waiters.job_ids()

    assert during == ["job"]
    assert waiters.job_ids() == []


def test_close_wakes_those_who_wait_and_those_who_come_later() -> None:
    waiters = Waiters()
    with waiters.watching("job") as before:
        waiters.close()
        with waiters.watching("job") as after:
            assert before.result(0) is None
            assert after.result(0) is None

    assert waiters.job_ids() == []
