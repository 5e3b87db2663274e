from dataclasses import replace

import pytest

from mlp.clock import now
from mlp.jobs.events import event_id, event_of
from mlp.jobs.job import Job, Progress
from mlp.jobs.states import JobState

RUNNING = Job("j1", "test.echo", "churn", "default", 0, JobState.RUNNING, 1, 3, False, now(), now())


def lines_of(event: bytes) -> list[str]:
    return event.decode().split("\n")


def test_id_follows_from_state_attempt_and_progress() -> None:
    shown = [
        replace(RUNNING, state=JobState.QUEUED),
        RUNNING,
        replace(RUNNING, attempt=2),
        replace(RUNNING, progress=Progress(1)),
        replace(RUNNING, progress=Progress(2)),
        replace(RUNNING, progress=Progress(2, 10)),
        replace(RUNNING, progress=Progress(2, message="line\r\nbreak")),
        replace(RUNNING, state=JobState.SUCCEEDED, progress=Progress(2)),
    ]

    ids = [event_id(job) for job in shown]

    assert len(set(ids)) == len(shown)
    assert all(character.isalnum() or character in "._-" for each in ids for character in each)


@pytest.mark.parametrize(
    ("job", "before", "name"),
    [
        (RUNNING, None, "state"),
        (RUNNING, replace(RUNNING, state=JobState.QUEUED), "state"),
        (replace(RUNNING, attempt=2), RUNNING, "state"),
        (replace(RUNNING, progress=Progress(1)), RUNNING, "progress"),
        (replace(RUNNING, state=JobState.CANCELLED), RUNNING, "end"),
    ],
)
def test_event_is_named_by_what_has_changed(job: Job, before: Job | None, name: str) -> None:
    assert lines_of(event_of(job, before))[:2] == [f"id: {event_id(job)}", f"event: {name}"]


def test_line_ends_within_a_result_do_not_end_the_data() -> None:
    job = replace(RUNNING, state=JobState.SUCCEEDED, result=b'{\r\n"a":\r1,\n"b":2}')

    *lines, before_last, last = lines_of(event_of(job))

    assert (before_last, last) == ("", "")
    assert all(line.startswith("data: ") for line in lines[2:])
    assert "\r" not in "".join(lines)
