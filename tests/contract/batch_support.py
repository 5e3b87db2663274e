"""What the contract tests of batch files share: a whole server in this process on the database of the test."""

import csv
import io
import json
import platform
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mlp.api.app import create_app
from mlp.api.in_process import InProcessTransport
from mlp.batches.tables import batch_chunks
from mlp.batches.tables import batches as batches_table
from mlp.client import Client
from mlp.client.batches import Batch
from mlp.clock import new_id, now
from mlp.config import Settings
from mlp.jobs.tables import jobs
from mlp.signature import DType, Field, Signature, Task
from mlp.stack import Stack
from mlp.storage.database import Database
from mlp.storage.ownership import FolderOwner
from tests.models import sign_model
from tests.versions import new_version, zip_bytes

SIGNATURE = Signature(
    Task.CLASSIFICATION,
    (Field("x", DType.FLOAT64), Field("y", DType.FLOAT64)),
    (Field("label", DType.BOOL), Field("probabilities", DType.FLOAT64, shape=(2,))),
    classes=(False, True),
)


class Server:
    """A server in this process, its stack within reach."""

    def __init__(self, folder: Path, url: str, **settings: Any) -> None:
        settings = {"batch_file_chunk_rows": 10, "job_poll_seconds": 0.05, **settings}
        self.settings = Settings(folder=folder / "data", database_url=url, **settings)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        owner = FolderOwner(self.settings.folder)
        owner.__enter__()
        self.stack = Stack(self.settings)
        self.transport = InProcessTransport(owner, self.stack, create_app(self.stack))
        self.client = Client(transport=self.transport)
        self._folder = folder

    def add_sign(self, **own_code: Any) -> None:
        """A further version of the model ``sign``; without its trial, which takes seconds and is tested elsewhere."""
        folder = sign_model(self._folder / f"sign-{new_id()}", **own_code)
        content = zip_bytes({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
        digest = self.stack.artefacts.keep(self.stack.artefacts.receive([content], 2**20))
        self.stack.registry.add_version(
            new_version(
                "sign",
                digest=digest,
                runtime="python",
                signature=SIGNATURE,
                environment={"python": platform.python_version(), "packages": {}},
                trained_with={},
            )
        )

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and document of an answer; the query stands in the path."""
        route, _, query = path.partition("?")
        response = self.transport.send(
            method,
            route,
            query=dict(part.split("=", 1) for part in query.split("&") if part),
            body=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            timeout_seconds=60,
        )
        return response.status, json.loads(response.body)

    def post(self, content: bytes, query: str = "", **headers: str) -> tuple[int, Any]:
        """The answer to a batch file for the model ``sign``."""
        return self.send("POST", f"/v1/models/sign/batches?{query}", content, **{"content_type": "text/csv", **headers})

    def submit(self, content: bytes, query: str = "", **headers: str) -> str:
        """The id of the batch of a file that is accepted."""
        status, document = self.post(content, query, **headers)
        assert status == 202, document
        return str(document["id"])

    def wait(self, batch_id: str) -> Batch:
        """The batch when it has ended."""
        return self.client.batches.wait(batch_id, 60)

    def result(self, batch_id: str, *, partial: bool = False) -> list[list[str]]:
        """The rows of a CSV result, the header first."""
        text = b"".join(self.client.batches.result(batch_id, partial=partial)).decode()
        return list(csv.reader(io.StringIO(text, newline="")))


@contextmanager
def serving(folder: Path, url: str, **settings: Any) -> Iterator[Server]:
    """A server, closed at the end; one after the other may live on a folder."""
    server = Server(folder, url, **settings)
    try:
        yield server
    finally:
        server.client.close()


def job_states(database: Database, batch_id: str) -> list[tuple[str, int]]:
    """State and attempts of a batch's jobs, in the order of the chunks."""
    query = (
        sa.select(jobs.c.state, jobs.c.attempt)
        .join(batch_chunks, batch_chunks.c.job_id == jobs.c.id)
        .where(batch_chunks.c.batch_id == batch_id)
        .order_by(batch_chunks.c.number)
    )
    with database.reading() as connection:
        return [(row.state, row.attempt) for row in connection.execute(query)]


def csv_of(rows: int, *, first: int = 0) -> bytes:
    """A file of so many rows with the columns k, x and y."""
    lines = [f"r{number},{number % 7 - 3},{number % 5 - 1.5}" for number in range(first, first + rows)]
    return ("k,x,y\n" + "\n".join(lines) + "\n").encode()


async def breaking_off(*blocks: bytes, error: BaseException) -> AsyncIterator[bytes]:
    """An upload that ends with an error."""
    for block in blocks:
        yield block
    raise error


def make_silent(database: Database, batch_id: str) -> None:
    """Let the batch be one of which nothing was heard for long."""
    with database.transaction() as connection:
        silent = sa.update(batches_table).where(batches_table.c.id == batch_id)
        connection.execute(silent.values(touched_at=now().replace(year=2020)))
