from mlp.jobs.job import JobError
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.observability.metrics import REGISTRY


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_jobs_are_counted_when_accepted_begun_and_finished(jobs: JobService) -> None:
    jobs.submit("test.counted", None, b"{}")
    jobs.submit("test.counted", None, b"{}")
    first, second = jobs.leases.claim(["test.counted"], limit=2)

    jobs.leases.finish(first, JobState.SUCCEEDED, result=b"1")
    jobs.leases.finish(second, JobState.FAILED, error=JobError("internal", "why"))

    assert sample("mlp_jobs_accepted_total", kind="test.counted") == 2
    assert sample("mlp_job_wait_seconds_count", kind="test.counted") == 2
    assert sample("mlp_jobs_finished_total", kind="test.counted", outcome="succeeded") == 1
    assert sample("mlp_jobs_finished_total", kind="test.counted", outcome="failed") == 1


def test_outcome_thrown_away_is_counted(jobs: JobService) -> None:
    jobs.submit("test.counted", None, b"{}")
    (claim,) = jobs.leases.claim(["test.counted"])
    jobs.leases.give_back(claim)
    before = sample("mlp_jobs_fenced_total")

    jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")

    assert sample("mlp_jobs_fenced_total") == before + 1
