"""Batch files keep their promises on SQLite and on PostgreSQL alike: whole, in order, once, no row unaccounted for."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlp.batches import store
from mlp.clock import now
from mlp.errors import Conflict, JobFinished, UnknownBatch
from mlp.inference.tables import inferences
from mlp.jobs.tables import jobs
from mlp.storage.database import Database
from tests.contract.batch_support import Server, csv_of, job_states, serving
from tests.contract.job_support import until

pytestmark = pytest.mark.usefixtures("database")


def test_result_has_every_row_in_the_order_of_the_file(server: Server) -> None:
    batch_id = server.submit(csv_of(95), "key=k")

    batch = server.wait(batch_id)
    header, *rows = server.result(batch_id)

    assert (batch.state, batch.rows, batch.rows_done, batch.rows_bad, batch.chunks) == ("succeeded", 95, 95, 0, 10)
    assert header == ["line", "k", "label", "probability_false", "probability_true", "error"]
    assert [row[:2] for row in rows] == [[str(number + 2), f"r{number}"] for number in range(95)]
    assert [row[2] for row in rows] == [
        "true" if number % 7 - 3 + number % 5 - 1.5 > 0 else "false" for number in range(95)
    ]


def test_every_row_is_recorded_once_with_its_key(server: Server, database: Database) -> None:
    server.wait(server.submit(csv_of(42), "key=k"))

    def recorded() -> list[Any]:
        with database.reading() as connection:
            return list(connection.execute(sa.select(inferences.c.key, inferences.c.mode, inferences.c.version)))

    until(lambda: len(recorded()) >= 42)
    assert sorted(row.key for row in recorded()) == sorted(f"r{number}" for number in range(42))
    assert {(row.mode, row.version) for row in recorded()} == {("queued", 1)}


def test_row_without_key_names_the_inference_that_a_label_refers_to(server: Server) -> None:
    batch_id = server.submit(b"x,y\n1,2\n-1,-2\n")

    server.wait(batch_id)
    header, first, second = server.result(batch_id)

    assert header[0] == "line"
    assert header[-3:] == ["id", "row", "error"]
    assert first[-3] == second[-3]
    assert [first[-2], second[-2]] == ["0", "1"]
    until(lambda: len(server.client.inferences("sign")) == 2)
    assert server.client.inference(first[-3]).rows[1].inputs == {"x": -1.0, "y": -2.0}


def test_bad_rows_are_reported_in_their_place_and_the_others_are_answered(server: Server) -> None:
    content = b'k,x,y\na,1,2\nb,one,2\nc,1\n"d"d,1,1\n,1,1\ne,,1\nf,1,1\n'

    batch_id = server.submit(content, "key=k")
    batch = server.wait(batch_id)
    _header, *rows = server.result(batch_id)

    assert (batch.state, batch.rows, batch.rows_bad) == ("succeeded", 7, 5)
    assert [(row[0], row[1], row[2], row[-1]) for row in rows] == [
        ("2", "a", "true", ""),
        ("3", "b", "", "input 'x': expected float64, got \"one\""),
        ("4", "", "", "expected 3 cells, got 2"),
        ("5", "", "", "',' expected after '\"'"),
        ("6", "", "", "there is no key: 'k' must be text or a whole number"),
        ("7", "e", "", "input 'x': expected float64, got an empty cell"),
        ("8", "f", "true", ""),
    ]
    assert [error.line for error in server.client.batches.errors(batch_id)] == [3, 4, 5, 6, 7]


def test_bad_rows_are_listed_in_pages_in_the_order_of_the_file(server: Server) -> None:
    content = b"x,y\n" + b"1,1\n" * 15 + b"no,1\n" * 25 + b"1,1\n" * 3 + b"no,1\n"
    batch_id = server.submit(content)
    server.wait(batch_id)
    lines: list[int] = []
    cursor = ""

    while True:
        _status, page = server.send("GET", f"/v1/batches/{batch_id}/errors?limit=7{cursor}")
        lines += [error["line"] for error in page["errors"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert lines == [*range(17, 42), 45]


def test_row_on_which_the_model_fails_is_a_bad_row(tmp_path: Path, migrated_url: str) -> None:
    with serving(tmp_path, migrated_url) as server:
        server.add_sign(at_predict='assert (frame["x"] != 13).all(), "unlucky"')
        content = b"x,y\n" + b"1,1\n" * 5 + b"13,1\n" + b"1,1\n" * 3

        batch_id = server.submit(content)
        batch = server.wait(batch_id)

        assert (batch.state, batch.rows_bad) == ("succeeded", 1)
        (error,) = server.client.batches.errors(batch_id)
        assert error.line == 7
        assert "unlucky" in error.reason


def test_model_that_always_fails_fails_the_batch(tmp_path: Path, migrated_url: str) -> None:
    with serving(tmp_path, migrated_url, job_attempts_max=1) as server:
        server.add_sign(at_predict='assert (frame["x"] < 5).all(), "broken"')

        batch = server.wait(server.submit(b"x,y\n" + b"9,1\n" * 30))

        assert batch.state == "failed"
        assert batch.error is not None
        assert batch.error.code == "model_failed"
        assert "broken" in batch.error.detail


def test_bad_row_ends_a_batch_that_fails_fast(server: Server, database: Database) -> None:
    status, document = server.post(csv_of(60) + b"bad,no,1\n" + csv_of(200)[6:], "key=k&policy=fail_fast")
    # The row may be found while the file is still being received: then the request itself is refused.
    batch_id = document["id"] if status == 202 else document["batch_id"]

    batch = server.wait(batch_id)

    assert status in (202, 400)
    assert batch.state == "failed"
    assert batch.error is not None
    assert (batch.error.code, batch.error.line) == ("signature_mismatch", 62)
    assert batch.error.detail == "line 62: input 'x': expected float64, got \"no\""
    until(lambda: {state for state, _ in job_states(database, batch_id)} <= {"succeeded", "failed", "cancelled"})
    status, document = server.send("GET", f"/v1/batches/{batch_id}/result")
    assert status == 409
    assert "line 62" in document["detail"]


def test_json_lines_are_answered_as_json_lines(server: Server) -> None:
    content = b'{"x": 1, "y": 2, "k": 7}\r\n\noops\n[1, 2]\n{"x": -1, "y": -2, "k": "b"}'

    batch_id = server.submit(content, "key=k", content_type="application/x-ndjson")
    server.wait(batch_id)
    rows = [json.loads(line) for line in b"".join(server.client.batches.result(batch_id)).splitlines()]

    assert [row["line"] for row in rows] == [1, 3, 4, 5]
    assert (rows[0]["key"], rows[0]["label"]) == ("7", True)
    assert rows[0]["probabilities"]["true"] > 0.9
    assert rows[1]["error"].startswith("not a row as JSON")
    assert rows[2]["error"].startswith("there is no key")
    assert (rows[3]["key"], rows[3]["label"]) == ("b", False)


def test_columns_of_the_file_are_kept_where_they_are_asked_for(server: Server) -> None:
    content = 'error,x,y,Größe\n"a, ""b""\nc",1,2,5\nz,1,2\n'.encode()

    batch_id = server.submit(content, "columns=all&ignore_extra=true")
    server.wait(batch_id)
    header, first, second = server.result(batch_id)

    assert header[:6] == ["line", "error", "x", "y", "Größe", "label"]
    assert header[-1] == "mlp_error"
    assert first[:6] == ["2", 'a, "b"\nc', "1", "2", "5", "true"]
    assert second[:6] == ["4", "", "", "", "", ""]
    assert second[-1] == "expected 4 cells, got 3"


def test_cancelled_batch_runs_no_further_chunk_and_keeps_what_is_done(idle: Server, database: Database) -> None:
    batch_id = idle.submit(csv_of(100), "key=k")

    batch = idle.client.batches.cancel(batch_id)

    assert (batch.state, batch.rows_done) == ("cancelled", 0)
    assert set(job_states(database, batch_id)) == {("cancelled", 0)}
    assert idle.client.batches.cancel(batch_id).state == "cancelled"
    with pytest.raises(Conflict, match="was cancelled"):
        list(idle.client.batches.result(batch_id))
    assert len(idle.result(batch_id, partial=True)) == 1


def test_batch_that_has_succeeded_cannot_be_cancelled(server: Server) -> None:
    batch_id = server.submit(csv_of(5), "key=k")
    server.wait(batch_id)

    with pytest.raises(JobFinished, match="has succeeded"):
        server.client.batches.cancel(batch_id)


def test_all_rows_are_answered_by_the_version_of_the_acceptance(
    tmp_path: Path, migrated_url: str, idle: Server
) -> None:
    batch_id = idle.submit(csv_of(35), "key=k")
    idle.client.close()

    with serving(tmp_path, migrated_url, job_workers=0) as server:
        status, document = server.send("GET", f"/v1/batches/{batch_id}/result")
        assert (status, document["rows"], document["rows_done"]) == (409, 35, 0)
    with serving(tmp_path, migrated_url) as server:
        server.add_sign(bias=100.0)
        server.client.models.promote("sign", "2")
        batch = server.wait(batch_id)

        assert (batch.state, batch.version) == ("succeeded", "1")
        assert {row[2] for row in server.result(batch_id)[1:]} == {"true", "false"}


def test_finished_chunks_are_not_done_again_after_a_restart(tmp_path: Path, migrated_url: str) -> None:
    with serving(tmp_path, migrated_url) as server:
        server.add_sign(at_predict="time.sleep(0.05)")
        batch_id = server.submit(csv_of(200), "key=k")
        until(lambda: server.client.batches.show(batch_id).rows_done >= 30)
    with serving(tmp_path, migrated_url) as server:
        batch = server.wait(batch_id)

        assert (batch.state, batch.rows_done) == ("succeeded", 200)
        assert [row[1] for row in server.result(batch_id)[1:]] == [f"r{number}" for number in range(200)]
        assert {attempt for _, attempt in job_states(server.stack.database, batch_id)} == {1}


def test_chunk_whose_job_was_cancelled_fails_the_batch(idle: Server, database: Database) -> None:
    batch_id = idle.submit(csv_of(30), "key=k")
    with database.reading() as connection:
        place = store.list_chunks(connection, batch_id, from_number=1, limit=1)[0]

    idle.client.jobs.cancel(place.job_id)
    batch = idle.client.batches.show(batch_id)

    assert batch.state == "failed"
    assert batch.error is not None
    assert "chunk 1 was cancelled" in batch.error.detail
    assert {state for state, _ in job_states(database, batch_id)} == {"cancelled"}


def test_result_is_read_in_pieces(server: Server) -> None:
    batch_id = server.submit(csv_of(35), "key=k")
    server.wait(batch_id)

    def lines(query: str) -> list[str]:
        path, query_of = f"/v1/batches/{batch_id}/result", dict(part.split("=") for part in query.split("&") if part)
        answer = server.transport.send("GET", path, query=query_of, body=None, headers={}, timeout_seconds=30)
        return answer.body.decode().splitlines()

    whole = lines("")
    pieces = [lines(f"from_chunk={first}&chunks=2") for first in (0, 2)]

    assert len(whole) == 36
    assert [len(piece) for piece in pieces] == [21, 15]
    assert pieces[0] + pieces[1] == whole


@pytest.mark.parametrize("number", [0, 2])
def test_result_lacks_no_chunk_without_a_word(server: Server, database: Database, number: int) -> None:
    batch_id = server.submit(csv_of(35), "key=k")
    server.wait(batch_id)
    with database.transaction() as connection:
        (place,) = store.list_chunks(connection, batch_id, from_number=number, limit=1)
        connection.execute(sa.delete(jobs).where(jobs.c.id == place.job_id))

    with pytest.raises(UnknownBatch, match=f"chunk {number} were deleted"):
        list(server.stack.batches.result(batch_id)[1])

    assert len(server.result(batch_id, partial=True)) == 1 + 35 - place.rows


def test_batches_are_listed_newest_first(idle: Server) -> None:
    ids = [idle.submit(csv_of(5, first=number), "key=k") for number in range(3)]
    idle.client.batches.cancel(ids[1])

    assert [batch.id for batch in idle.client.batches.list(limit=None)] == ids[::-1]
    assert [batch.id for batch in idle.client.batches.list(state="cancelled")] == [ids[1]]
    assert idle.client.batches.list(model="other") == []
    _status, page = idle.send("GET", "/v1/batches?limit=2")
    assert [batch["id"] for batch in page["batches"]] == [ids[2], ids[1]]
    _status, rest = idle.send("GET", f"/v1/batches?limit=2&cursor={page['next']}")
    assert [batch["id"] for batch in rest["batches"]] == [ids[0]]


def test_old_batches_are_deleted_and_their_jobs_are_needed_no_more(server: Server, database: Database) -> None:
    batch_id = server.submit(csv_of(15), "key=k")
    server.wait(batch_id)
    needed = sa.select(sa.func.count()).select_from(jobs).where(store.is_needed(jobs.c.id))

    with database.transaction() as connection:
        count_before = connection.execute(needed).scalar_one()
        early = store.delete_older(connection, now() - timedelta(days=7), 100)
        deleted = store.delete_older(connection, now() + timedelta(seconds=1), 100)
        count_after = connection.execute(needed).scalar_one()

    assert (early, deleted) == (0, 1)
    assert (count_before, count_after) == (2, 0)
    with pytest.raises(UnknownBatch):
        server.client.batches.show(batch_id)


def test_jobs_of_a_batch_that_is_kept_are_spared_by_the_purge(server: Server, database: Database) -> None:
    batch_id = server.submit(csv_of(30), "key=k")
    server.wait(batch_id)
    other = server.client.jobs.submit("sign", [{"x": 1.0, "y": 2.0}])
    server.client.jobs.wait(other.id)
    with database.transaction() as connection:
        connection.execute(sa.update(jobs).values(finished_at=now().replace(year=2020)))

    assert server.stack.jobs.purge() == 1

    assert sum(count for _state, count in job_states(database, batch_id)) == 3


def test_unknown_batch_is_not_found(server: Server) -> None:
    for path in ("", "/result", "/errors"):
        status, document = server.send("GET", f"/v1/batches/nope{path}")
        assert (status, document["code"]) == (404, "unknown_batch")
