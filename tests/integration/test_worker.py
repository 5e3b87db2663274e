"""Jobs through PostgreSQL, RabbitMQ, Celery and Redis, with real servers: the path of a queued prediction."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.models import sign_model
from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer
from tests.servers import until
from tests.workers import StackOfProcesses

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.redis]
ROWS = [{"x": 1.0, "y": 2.0}]


def _add_sign(stack: StackOfProcesses, folder: Path, **own_code: str) -> None:
    stack.server.client.models.add("sign", sign_model(folder / "sign", **own_code))  # type: ignore[arg-type]


def _submit(stack: StackOfProcesses, count: int) -> list[str]:
    answers = [stack.server.ask("/v1/models/sign/jobs", {"rows": ROWS}) for _ in range(count)]
    assert {answer.status for answer in answers} == {202}
    return [answer.json()["id"] for answer in answers]


def _states(stack: StackOfProcesses, job_ids: Sequence[str]) -> set[str]:
    return {stack.server.get(f"/v1/jobs/{job_id}").json()["state"] for job_id in job_ids}


def _wait_succeeded(stack: StackOfProcesses, job_ids: Sequence[str], timeout_seconds: float = 60) -> None:
    def are_done() -> bool:
        states = _states(stack, job_ids)
        assert states <= {"queued", "running", "succeeded"}, states
        return states == {"succeeded"}

    until(are_done, timeout_seconds, stack.trouble)


def test_jobs_through_the_broker_succeed_and_are_counted(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    worker = stack.start_worker()
    _add_sign(stack, tmp_path)

    job_ids = _submit(stack, 40)

    _wait_succeeded(stack, job_ids)
    answer = stack.server.get(f"/v1/jobs/{job_ids[0]}").json()
    assert answer["result"]["predictions"][0]["label"] is True
    assert stack.server.metric(r"mlp_jobs_published_total\{queue=\"mlp.default\"\}") > 0
    assert 'mlp_jobs_finished_total{kind="inference.predict",outcome="succeeded"} 40.0' in worker.metrics()
    assert worker.stop() == 0


def test_end_of_a_job_is_heard_by_who_waits(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    stack.start_worker()
    _add_sign(stack, tmp_path)

    (job_id,) = _submit(stack, 1)
    answer = stack.server.get(f"/v1/jobs/{job_id}?wait=20").json()

    assert answer["state"] == "succeeded"
    assert stack.server.metric(r"mlp_notices_total\{kind=\"finished\",outcome=\"heard\"\}") > 0


def test_jobs_accepted_while_the_broker_is_away_are_done_and_none_is_lost(
    stack_of_processes: StackOfProcesses, tmp_path: Path, rabbitmq_server: RabbitMQServer
) -> None:
    stack = stack_of_processes
    stack.start_worker()
    _add_sign(stack, tmp_path)
    rabbitmq_server.stop()

    job_ids = _submit(stack, 20)

    _wait_succeeded(stack, job_ids)  # the workers' own look finds them
    rabbitmq_server.start()
    _wait_succeeded(stack, _submit(stack, 20))


def test_jobs_whose_messages_are_lost_are_done(
    stack_of_processes: StackOfProcesses, tmp_path: Path, rabbitmq_server: RabbitMQServer
) -> None:
    stack = stack_of_processes
    first = stack.start_worker()
    _add_sign(stack, tmp_path)
    assert first.stop() == 0
    job_ids = _submit(stack, 10)
    until(lambda: stack.server.metric(r"mlp_jobs_published_total\{.*\}") >= 10, 20)
    rabbitmq_server.purge("mlp.default")

    stack.start_worker()

    _wait_succeeded(stack, job_ids)


def test_redis_away_makes_waiting_slower_and_loses_nothing(
    stack_of_processes: StackOfProcesses, tmp_path: Path, redis_server: RedisServer
) -> None:
    stack = stack_of_processes
    stack.start_worker()
    _add_sign(stack, tmp_path)
    redis_server.kill()

    (job_id,) = _submit(stack, 1)
    assert stack.server.get(f"/v1/jobs/{job_id}?wait=20").json()["state"] == "succeeded"
    until(
        lambda: stack.server.get("/health/ready").json()["components"].get("cache", {}).get("status") == "degraded", 20
    )
    assert stack.server.ask("/v1/models/sign/predict", {"rows": ROWS}).status == 200


def test_job_of_a_killed_worker_is_done_by_another(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    doomed = stack.start_worker(MLP_JOB_LEASE_SECONDS="3")
    slow = f"time.sleep(0 if os.path.exists({str(tmp_path / 'go')!r}) else 0.5)"
    _add_sign(stack, tmp_path, at_predict=slow)
    job_ids = _submit(stack, 8)
    until(lambda: "running" in _states(stack, job_ids), 30, doomed.trouble)

    doomed.kill()
    (tmp_path / "go").touch()
    stack.start_worker(MLP_JOB_LEASE_SECONDS="3")

    _wait_succeeded(stack, job_ids)


def test_killed_process_of_a_worker_is_replaced_and_its_job_done(
    stack_of_processes: StackOfProcesses, tmp_path: Path
) -> None:
    stack = stack_of_processes
    worker = stack.start_worker(MLP_JOB_LEASE_SECONDS="3")
    _add_sign(stack, tmp_path)
    children = _children_of(worker.process.pid)

    if sys.platform != "win32":
        os.kill(children[0], signal.SIGKILL)

    until(lambda: len(_children_of(worker.process.pid)) == 2, 60, worker.trouble)
    _wait_succeeded(stack, _submit(stack, 10))


def test_stopped_worker_gives_back_what_it_has_not_done(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    first = stack.start_worker()
    _add_sign(stack, tmp_path, at_predict="time.sleep(0.2)")
    job_ids = _submit(stack, 12)
    until(lambda: "running" in _states(stack, job_ids), 30, first.trouble)

    assert first.stop() == 0

    assert "running" not in _states(stack, job_ids)
    stack.start_worker()
    _wait_succeeded(stack, job_ids)


def test_worker_takes_the_queues_that_it_is_given_and_no_others(
    stack_of_processes: StackOfProcesses, tmp_path: Path
) -> None:
    stack = stack_of_processes
    # Adding a model is urgent work: a worker of mlp.high does it, and leaves predictions of mlp.default alone.
    urgent = stack.start_worker(CELERY_QUEUE="mlp.high")
    _add_sign(stack, tmp_path)
    assert urgent.report()["queues"] == ["mlp.high"]

    job_ids = _submit(stack, 3)
    stack.server.client.models.add("sign", sign_model(tmp_path / "second", bias=1.0))  # what is urgent goes on
    assert _states(stack, job_ids) == {"queued"}

    stack.start_worker(CELERY_QUEUE="mlp.default,mlp.low")
    _wait_succeeded(stack, job_ids)


def test_unknown_queue_ends_the_worker_with_a_sentence(stack_of_processes: StackOfProcesses) -> None:
    worker = stack_of_processes.start_worker(is_waiting=False, CELERY_QUEUE="mlp.hihg")
    assert worker.process.wait(30) == 1
    assert "mlp.hihg" in worker.trouble()


def test_paused_queue_starts_nothing_until_it_is_resumed(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    worker = stack.start_worker()
    _add_sign(stack, tmp_path)
    stack.server.ask("/v1/queues/mlp.default/pause", {"reason": "test"})

    job_ids = _submit(stack, 5)
    until(lambda: stack.server.metric(r"mlp_jobs\{queue=\"mlp.default\",state=\"queued\"\}") == 5, 20)
    assert _states(stack, job_ids) == {"queued"}
    stack.server.ask("/v1/queues/mlp.default/resume", {})

    _wait_succeeded(stack, job_ids)
    assert worker.process.poll() is None


def test_drained_worker_takes_nothing_and_takes_again(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    worker = stack.start_worker()
    _add_sign(stack, tmp_path)
    worker_id = worker.report()["worker"]

    assert stack.server.ask(f"/v1/workers/{worker_id}/drain", {}).status == 200
    until(lambda: bool(worker.report()["is_draining"]), 20, worker.trouble)
    job_ids = _submit(stack, 3)
    until(lambda: stack.server.metric(r"mlp_jobs\{queue=\"mlp.default\",state=\"queued\"\}") == 3, 20)
    assert stack.server.ask(f"/v1/workers/{worker_id}/undrain", {}).status == 200

    _wait_succeeded(stack, job_ids)


def test_one_worker_of_two_leads_the_periodic_work_and_the_other_follows(stack_of_processes: StackOfProcesses) -> None:
    first = stack_of_processes.start_worker()
    second = stack_of_processes.start_worker()

    def leaders() -> list[bool]:
        workers = [worker for worker in (first, second) if worker.process.poll() is None]
        return ["mlp_periodic_leader 1.0" in worker.metrics() for worker in workers]

    until(lambda: sum(leaders()) == 1, 30, first.trouble)
    leader = first if leaders()[0] else second
    leader.kill()

    until(lambda: leaders() == [True], 30, second.trouble)


def _children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return sorted(found)
