import logging
from collections.abc import Sequence

import pytest

from mlp.clock import now
from mlp.jobs.job import Job
from mlp.jobs.notices import Notices
from mlp.jobs.states import JobState

JOB = Job("job", "test.echo", None, "default", 0, JobState.QUEUED, 0, 3, False, now())


def test_listeners_hear_what_they_asked_for() -> None:
    heard: list[object] = []
    notices = Notices()
    notices.on_queued(lambda jobs: heard.append(("queued", jobs)))
    notices.on_finished(lambda jobs: heard.append(("finished", jobs)))
    notices.on_cancelling(lambda job: heard.append(("cancelling", job)))

    notices.queued([JOB])
    notices.queued([])
    notices.finished([JOB])
    notices.cancelling(JOB)

    assert heard == [("queued", [JOB]), ("finished", [JOB]), ("cancelling", JOB)]


def test_listener_that_fails_is_logged_and_keeps_nobody_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Sequence[Job]] = []

    def fail(_jobs: Sequence[Job]) -> None:
        raise OSError("bell broken")

    notices = Notices()
    notices.on_finished(fail)
    notices.on_finished(heard.append)

    with caplog.at_level(logging.ERROR):
        notices.finished([JOB])

    assert heard == [[JOB]]
    assert "bell broken" in caplog.text
