"""Batch files on real servers: by the command line, through a broken connection, and while workers are killed."""

import csv
import os
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until
from tests.workers import StackOfProcesses

pytestmark = pytest.mark.slow


def write_rows(path: Path, rows: int) -> list[str]:
    """A CSV with the columns k, x and y; the keys."""
    keys = [f"r{number}" for number in range(rows)]
    lines = [f"{key},{number % 7 - 3},{number % 5 - 1.5}" for number, key in enumerate(keys)]
    path.write_text("k,x,y\n" + "\n".join(lines) + "\n")
    return keys


def run_batch(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """``mlp batch run`` on a folder, begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "mlp", "batch", "run", *arguments, "--folder", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(command: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    output, errors = command.communicate(timeout=100)
    return command.returncode, output, errors


def keys_in(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["k"] for row in csv.DictReader(file)]


def test_file_through_a_server_is_whole_and_in_order(serve: Serve, tmp_path: Path) -> None:
    server = serve(MLP_BATCH_FILE_CHUNK_ROWS="100")
    server.client.models.add("sign", sign_model(tmp_path / "sign"))
    keys = write_rows(tmp_path / "in.csv", 5000)
    command = ["sign", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--key", "k"]

    first = ended(run_batch(server.folder, *command))
    again = ended(run_batch(server.folder, *command))

    assert first[0] == 0, first
    assert keys_in(tmp_path / "out.csv") == keys
    assert "5,000 rows by version 1 of sign" in first[1]
    assert "Went on with batch" in again[2]
    assert len(server.client.batches.list()) == 1
    assert server.metric(r'mlp_batch_rows_total\{outcome="answered"\}') == 5000


def test_bad_rows_are_summed_up_and_are_the_exit_code(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "sign"))
    (tmp_path / "in.csv").write_text("x,y\n1,2\nno,3\n")

    code, output, _ = ended(run_batch(server.folder, "sign", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")))
    failed = ended(
        run_batch(server.folder, "sign", str(tmp_path / "in.csv"), str(tmp_path / "no.csv"), "--policy", "fail_fast")
    )

    assert code == 1
    assert "1 bad rows:\n  line 3: input 'x': expected float64" in output
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert failed[0] == 1
    assert "line 3: input 'x'" in failed[2]
    assert not (tmp_path / "no.csv").exists()
    assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_command_without_a_server_is_killed_and_goes_on(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "sign", at_predict="time.sleep(0.02)"))
    assert server.stop() == 0
    keys = write_rows(tmp_path / "in.csv", 3000)
    command = ["sign", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--key", "k"]
    small = {"MLP_BATCH_FILE_CHUNK_ROWS": "20"}

    doomed = run_batch(server.folder, *command, **small)
    until(lambda: finished_chunks(server.folder) >= 20, 60)
    doomed.kill()
    doomed.communicate(timeout=30)
    done_before = finished_chunks(server.folder)
    code, _, errors = ended(run_batch(server.folder, *command, **small))

    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out.csv")]
    assert (code, done_before < 150) == (0, True), errors
    assert "Went on with batch" in errors
    assert keys_in(tmp_path / "out.csv") == keys
    assert attempts_of_finished(server.folder, done_before) == {1}


def finished_chunks(folder: Path) -> int:
    return len(rows_of(folder, "SELECT 1 FROM jobs WHERE kind = 'batches.predict' AND state = 'succeeded'"))


def attempts_of_finished(folder: Path, first: int) -> set[int]:
    """How often those chunks were begun that ended first."""
    query = "SELECT attempt FROM jobs WHERE kind = 'batches.predict' ORDER BY finished_at LIMIT ?"
    return {row[0] for row in rows_of(folder, query, first)}


def rows_of(folder: Path, query: str, *parameters: object) -> list[tuple[int]]:
    connection = sqlite3.connect(folder / "mlp.sqlite", timeout=30)
    try:
        return connection.execute(query, parameters).fetchall()
    except sqlite3.OperationalError:
        return []  # no table yet
    finally:
        connection.close()


def test_upload_that_breaks_off_is_failed_and_sent_again(serve: Serve, tmp_path: Path) -> None:
    server = serve(MLP_BATCH_FILE_CHUNK_ROWS="1000")
    server.client.models.add("sign", sign_model(tmp_path / "sign"))
    rows = b"k,x,y\n" + b"".join(b"%d,1,2\n" % number for number in range(200_000))

    with broken_upload(server, rows, sent_bytes=1_500_000):
        until(lambda: bool(server.client.batches.list()), 30)

    def has_failed() -> bool:
        (batch,) = server.client.batches.list()
        return batch.state == "failed"

    until(has_failed, 30)
    (batch,) = server.client.batches.list()
    assert batch.error is not None
    assert batch.error.code == "upload_incomplete"
    until(lambda: not server.client.jobs.list(kind="batches.predict", state="queued", limit=1), 30)
    answer = server.send(
        "POST", "/v1/models/sign/batches?key=k", rows[:7000], content_type="text/csv", idempotency_key='"one"'
    )
    assert answer.status == 202


class broken_upload:
    """An upload under the key ``one`` that is given up after some bytes."""

    def __init__(self, server: ServerProcess, content: bytes, *, sent_bytes: int) -> None:
        address = urlsplit(server.url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=30)
        head = (
            f"POST /v1/models/sign/batches?key=k HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: text/csv\r\n"
            f'Idempotency-Key: "one"\r\nContent-Length: {len(content)}\r\n\r\n'
        )
        self._socket.sendall(head.encode() + content[:sent_bytes])

    def __enter__(self) -> "broken_upload":
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()


def test_kill_of_the_server_while_receiving_and_predicting_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    small = {"MLP_BATCH_FILE_CHUNK_ROWS": "20"}
    server = serve(**small)
    server.client.models.add("sign", sign_model(tmp_path / "sign", at_predict="time.sleep(0.02)"))
    keys = write_rows(tmp_path / "in.csv", 2000)
    batch = server.client.batches.submit("sign", tmp_path / "in.csv", idempotency_key="two", key="k")
    receiving = broken_upload(server, b"k,x,y\n" + b"1,1,1\n" * 400_000, sent_bytes=1_200_000)
    until(lambda: len(server.client.batches.list()) == 2, 30)
    until(lambda: server.client.batches.show(batch.id).rows_done >= 400, 60)

    server.kill()
    again = serve(**small)

    with receiving:
        assert again.client.batches.wait(batch.id, 60).rows_done == 2000
    states = Counter(each.state for each in again.client.batches.list())
    assert states == {"succeeded": 1, "failed": 1}
    lines = b"".join(again.client.batches.result(batch.id)).decode().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == keys


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.redis
def test_workers_share_a_file_and_one_is_killed(stack_of_processes: StackOfProcesses, tmp_path: Path) -> None:
    stack = stack_of_processes
    log = tmp_path / "calls.log"
    noting = f"open({str(log)!r}, 'a').write(f'{{len(frame)}} {{os.getpid()}}\\n'); time.sleep(0.05)"
    doomed = stack.start_worker(MLP_JOB_LEASE_SECONDS="3")
    stack.start_worker(MLP_JOB_LEASE_SECONDS="3")
    stack.server.client.models.add("sign", sign_model(tmp_path / "sign", at_predict=noting))
    keys = write_rows(tmp_path / "in.csv", 60_000)
    batch = stack.server.client.batches.submit("sign", tmp_path / "in.csv", key="k")
    until(lambda: stack.server.client.batches.show(batch.id).rows_done >= 5000, 60, stack.trouble)

    doomed.kill()
    rows_done = stack.server.client.batches.show(batch.id).rows_done
    ended_batch = stack.server.client.batches.wait(batch.id, 100)

    assert rows_done < 60_000
    assert (ended_batch.state, ended_batch.rows_done, ended_batch.rows_bad) == ("succeeded", 60_000, 0)
    lines = b"".join(stack.server.client.batches.result(batch.id)).decode().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == keys
    jobs = stack.server.client.jobs.list(kind="batches.predict", limit=None)
    assert len(jobs) == 60
    again = sum(job.attempt > 1 for job in jobs)
    # What the killed worker's processes had in hand, and not a chunk more, was done again.
    assert again <= 2
    assert len({line.split()[1] for line in log.read_text().splitlines()}) >= 3
