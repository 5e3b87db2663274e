"""The way in for batch files on SQLite and PostgreSQL: what is refused, what breaks off, what is the same file."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mlp.batches import store
from mlp.batches.batch import NewBatch, Options
from mlp.errors import Conflict
from mlp.storage.database import Database
from tests.contract.batch_support import Server, breaking_off, csv_of, job_states, make_silent, serving

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    ("content", "query", "status", "message"),
    [
        (b"", "", 400, "the file is empty"),
        (b"x,y\n", "", 400, "the file has no rows"),
        (b"x\n1\n", "", 400, "has no column 'y', which the model needs"),
        (b"x;y\n1;2\n", "", 400, "add delimiter=;"),
        (b"x,y,z\n1,2,3\n", "", 400, "no inputs of the model: 'z'; ignore_extra=true"),
        (b"x,y\n1,2\n", "key=k", 400, "no column 'k' for the key"),
        (b'x,y\n1,2\n1,"2\n', "", 400, "line 3: a quote opens there and is never closed"),
        (b"x,y\n1,2\n", "format=xml", 415, "use csv, jsonl or parquet"),
        (b"x,y\n1,2\n", "delimiter=ab", 400, "not one character"),
        (b"x,y\n1,2\n", "at=yesterday", 400, "RFC 3339"),
    ],
)
def test_file_that_cannot_be_answered_is_refused(
    server: Server, content: bytes, query: str, status: int, message: str
) -> None:
    answer = server.post(content, query, idempotency_key='"k1"')

    assert answer[0] == status
    assert message in answer[1]["detail"]
    # Nothing was accepted under the key: a file that is right may have it.
    server.submit(b"x,y\n1,2\n", idempotency_key='"k1"')


def test_file_that_names_no_format_is_refused(server: Server) -> None:
    status, document = server.post(b"x,y\n1,2\n", content_type="application/octet-stream")

    assert (status, document["code"]) == (415, "unsupported_format")
    assert "format=csv" in document["detail"]


def test_file_that_is_too_large_is_refused(tmp_path: Path, migrated_url: str) -> None:
    with serving(tmp_path, migrated_url, batch_file_bytes_max=2000) as server:
        server.add_sign()

        status, document = server.post(csv_of(1000))

        assert (status, document["code"]) == (413, "body_too_large")


def test_batch_of_an_unknown_model_or_version_is_refused(server: Server) -> None:
    headers = {"content_type": "text/csv"}

    assert server.send("POST", "/v1/models/nope/batches", b"x\n1\n", **headers)[1]["code"] == "unknown_model"
    unknown = server.send("POST", "/v1/models/sign/versions/9/batches", b"x\n1\n", **headers)
    assert unknown[1]["code"] == "unknown_version"


def test_same_file_under_a_key_is_one_batch(server: Server) -> None:
    first = server.submit(csv_of(25), "key=k", idempotency_key='"nightly"')
    server.wait(first)

    again = server.submit(csv_of(25), "key=k", idempotency_key='"nightly"')
    other_file = server.post(csv_of(26), "key=k", idempotency_key='"nightly"')
    other_options = server.post(csv_of(25), "key=k&policy=fail_fast", idempotency_key='"nightly"')

    assert again == first
    assert len(server.client.batches.list()) == 1
    assert [answer[0] for answer in (other_file, other_options)] == [422, 422]
    assert other_file[1]["batch_id"] == first


def test_key_of_a_file_that_is_being_received_is_refused_until_its_sender_is_gone(
    server: Server, database: Database
) -> None:
    new = NewBatch("sign", None, 1, Options(), "nightly")
    with database.transaction() as connection:
        store.insert_batch(connection, new)

    status, document = server.post(csv_of(5), "key=k", idempotency_key='"nightly"')
    make_silent(database, new.id)
    later = server.submit(csv_of(5), "key=k", idempotency_key='"nightly"')

    assert (status, document["batch_id"]) == (409, new.id)
    assert later != new.id
    assert server.client.batches.show(new.id).state == "failed"


def test_upload_that_breaks_off_fails_and_its_chunks_are_cancelled(idle: Server, database: Database) -> None:
    # More than a block, so that its first chunks are accepted before the end.
    content = b"k,x,y\n" + b"".join(b"%s%d,1,2\n" % (b"k" * 240, number) for number in range(4500))
    upload = idle.stack.batches.uploads.receive(
        "sign",
        None,
        Options(key="k"),
        breaking_off(content[: 2**20 + 1], content[2**20 + 1 :], error=ConnectionResetError("gone")),
    )

    with pytest.raises(ConnectionResetError):
        idle.transport._run(upload, 30)

    (batch,) = idle.client.batches.list()
    assert (batch.state, batch.error.code if batch.error else None) == ("failed", "upload_incomplete")
    assert set(job_states(database, batch.id)) == {("cancelled", 0)}
    assert batch.rows > 4000


def test_upload_whose_server_died_is_ended_by_the_sweep(idle: Server, database: Database) -> None:
    new = NewBatch("sign", None, 1, Options())
    with database.transaction() as connection:
        store.insert_batch(connection, new)
    idle.stack.batches.sweep()
    before = idle.client.batches.show(new.id).state

    make_silent(database, new.id)
    idle.stack.batches.sweep()

    batch = idle.client.batches.show(new.id)
    assert before == "receiving"
    assert (batch.state, batch.error.code if batch.error else None) == ("failed", "upload_incomplete")


def test_upload_ends_when_its_batch_is_cancelled(idle: Server) -> None:
    async def endless() -> Any:
        yield csv_of(100)
        (batch,) = await asyncio.to_thread(idle.client.batches.list)
        await asyncio.to_thread(idle.stack.batches.cancel, batch.id)
        while True:
            yield csv_of(20_000)[6:]

    with pytest.raises(Conflict, match="ended while its file was being received"):
        idle.transport._run(idle.stack.batches.uploads.receive("sign", None, Options(key="k"), endless()), 60)
