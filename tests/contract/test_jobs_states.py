"""Any order of events keeps the promises: final states stay, one result a job, only the newest attempt writes."""

from typing import Any

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from mlp.clock import now
from mlp.config import Settings
from mlp.errors import Conflict, JobFinished
from mlp.jobs.job import Claim, Job, JobError
from mlp.jobs.service import JobService
from mlp.jobs.states import FOLLOWERS, JobState
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage.database import Database

KINDS = ["test.echo"]


class Story(RuleBasedStateMachine):
    """Owners, two workers and the sweep act on jobs in any order; each state seen must follow the one before."""

    jobs_made = Bundle("jobs_made")
    claims = Bundle("claims")

    database: Database  # given by the test, in a subclass: hypothesis makes the stories itself

    def __init__(self) -> None:
        super().__init__()
        with self.database.transaction() as connection:
            connection.execute(sa.delete(jobs_table))
        self.services = [JobService(self.database, Settings()) for _ in range(2)]
        self.seen: dict[str, Job] = {}
        self.newest: dict[str, Claim] = {}
        self.nonce = 0

    def teardown(self) -> None:
        for service in self.services:
            service.close()

    @rule(target=jobs_made, key=st.sampled_from([None, "a", "b"]), attempts_max=st.integers(1, 3))
    def submit(self, key: str | None, attempts_max: int) -> str:
        return self.services[0].submit("test.echo", None, b"{}", idempotency_key=key, attempts_max=attempts_max).id

    @rule(target=claims, worker=st.integers(0, 1))
    def claim(self, worker: int) -> Any:
        found = self.services[worker].leases.claim(KINDS)
        self.newest.update({claim.id: claim for claim in found})
        return (worker, found[0]) if found else None

    @rule(held=consumes(claims), state=st.sampled_from([JobState.SUCCEEDED, JobState.FAILED]))
    def finish(self, held: tuple[int, Claim] | None, state: JobState) -> None:
        if held is None:
            return
        worker, claim = held
        self.nonce += 1
        result, error = (str(self.nonce).encode(), None) if state is JobState.SUCCEEDED else (None, JobError("e", "d"))
        before = self.services[0].get(claim.id)
        finished = self.services[worker].leases.finish(claim, state, result=result, error=error)
        if finished is not None:
            assert before.state is JobState.RUNNING
            assert self.newest[claim.id] == claim

    @rule(held=consumes(claims), is_release=st.booleans())
    def put_back(self, held: tuple[int, Claim] | None, is_release: bool) -> None:
        if held is None:
            return
        leases = self.services[held[0]].leases
        if is_release:
            leases.give_back(held[1])
        else:
            leases.try_again(held[1], JobError("e", "d"), 0.0)

    @rule(sweeper=st.integers(0, 1))
    def recover_after_a_long_silence(self, sweeper: int) -> None:
        with self.database.transaction() as connection:
            connection.execute(sa.update(jobs_table).values(lease_until=now().replace(year=2020)))
        self.services[sweeper].recovery.recover()

    @rule(job_id=jobs_made)
    def cancel(self, job_id: str) -> None:
        before = self.services[1].get(job_id)
        try:
            self.services[1].cancel(job_id)
        except JobFinished:
            assert before.state in (JobState.SUCCEEDED, JobState.FAILED)

    @rule(target=jobs_made, job_id=jobs_made)
    def retry(self, job_id: str) -> str:
        before = self.services[1].get(job_id)
        try:
            return self.services[1].retry(job_id).id
        except Conflict:
            assert before.state not in (JobState.FAILED, JobState.CANCELLED)
            return job_id

    @invariant()
    def every_state_follows_the_one_before(self) -> None:
        for listed in self.services[0].list_jobs(limit=1000):
            job = self.services[0].get(listed.id)
            before = self.seen.get(job.id)
            if before is not None and before.is_final:
                assert job == before
            elif before is not None and before.state is not job.state:
                assert job.state in FOLLOWERS[before.state]
            assert (job.result is not None) == (job.state is JobState.SUCCEEDED)
            assert (job.finished_at is not None) == job.is_final
            assert job.attempt <= job.attempts_max
            self.seen[job.id] = job


def test_any_order_of_events_keeps_the_promises(database: Database) -> None:
    story = type("StoryOnDatabase", (Story,), {"database": database})

    run_state_machine_as_test(story, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))
