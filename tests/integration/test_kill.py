"""kill -9 at every stage: what was acknowledged is there after a restart; what was under way is finished or gone."""

import sqlite3
import threading
from pathlib import Path

import pytest

from mlp import Label
from mlp.errors import MLPError
from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until

pytestmark = pytest.mark.slow


def recorded_ids(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "mlp.sqlite") as connection:
        return {row[0] for row in connection.execute("SELECT id FROM inferences")}


def test_kill_while_predicting_loses_no_answered_row(serve: Serve, tmp_path: Path) -> None:
    # The drain is slow on purpose: everything that was answered is still in the spool when the kill comes.
    server = serve(MLP_DRAIN_INTERVAL_SECONDS="30")
    server.client.models.add("sign", sign_model(tmp_path / "one"))
    answered: set[str] = set()

    def ask_until_dead() -> None:
        try:
            while True:
                answered.add(server.client.predict("sign", [[1, 1]]).id)
        except MLPError:
            return

    threads = [threading.Thread(target=ask_until_dead) for _number in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 300, 60)
    server.kill()
    for thread in threads:
        thread.join(30)
    serve()

    until(lambda: answered <= recorded_ids(server.folder), 30, lambda: f"{len(answered)} were answered")


def test_kill_after_feedback_keeps_every_acknowledged_label(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "one"))
    ids = [server.client.predict("sign", [[1, 1]]).id for _number in range(20)]

    report = server.client.feedback("sign", [Label(True, id=inference_id) for inference_id in ids])
    server.kill()
    again = serve()

    assert report.matched + report.parked == 20
    until(lambda: all(row.label is True for row in again.client.inferences("sign", limit=50)), 20)
    assert len(again.client.inferences("sign", limit=50)) == 20


def test_kill_during_a_job_runs_it_again_after_the_restart(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    server = serve()
    waiting = f"while not os.path.exists({str(gate)!r}): time.sleep(0.05)"
    server.client.models.add("sign", sign_model(tmp_path / "one", at_predict=waiting))
    gate.unlink()
    job = server.client.jobs.submit("sign", [[1, 1]])
    until(lambda: server.client.jobs.show(job.id).state == "running", 30)

    server.kill()
    gate.touch()
    again = serve()

    done = again.client.jobs.wait(job.id, timeout_seconds=60)
    assert (done.state, done.attempt) == ("succeeded", 2)
    assert done.result["predictions"][0]["label"] is True


def test_kill_during_registration_finishes_it_after_the_restart(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = f"while not os.path.exists({str(gate)!r}): time.sleep(0.05)"
    server = serve()
    folder = sign_model(tmp_path / "one", at_load=waiting)

    def add_until_dead() -> None:
        with pytest.raises(MLPError):
            server.client.models.add("sign", folder)

    adding = threading.Thread(target=add_until_dead)
    adding.start()
    until(lambda: any(job.state == "running" for job in server.client.jobs.list()), 30)

    server.kill()
    adding.join(30)
    gate.touch()
    again = serve()

    until(lambda: [job.state for job in again.client.jobs.list()] == ["succeeded"], 60)
    assert again.client.predict("sign", [[1, 1]]).version == "1"


def test_kill_during_a_migration_leaves_a_schema_that_the_next_start_completes(serve: Serve) -> None:
    for attempt in range(4):
        server = serve(is_waiting=False)
        until((server.folder / "mlp.sqlite").exists, 30)
        # A little later each time, so that the kill falls into different steps.
        threading.Event().wait(0.02 * attempt)
        server.kill()

    assert serve().get("/health/ready").status == 200


def test_second_server_on_a_folder_is_refused_with_the_pid_of_the_first(serve: Serve) -> None:
    first = serve()

    second = ServerProcess(first.folder)

    assert second.wait_ended() == 1
    text = second.log.read_text()
    assert f"pid {first.pid}" in text
    assert first.url in text
    assert first.get("/health/ready").status == 200


def test_killed_servers_folder_can_be_served_again_at_once(serve: Serve) -> None:
    first = serve()
    first.kill()

    assert serve().get("/health/ready").status == 200
