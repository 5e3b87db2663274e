"""Uploads: safe on disk before their job, bounded, and swept when nothing needs them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from mlp.config import Settings
from mlp.errors import BadInput, BadModelFolder, BodyTooLarge, MalformedBody, MLPError
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.registry.service import RegistryService
from mlp.registry.uploads import UNUSED_SECONDS, AcceptPayload, Uploads
from mlp.storage.artefacts import ArtefactStore, Incoming
from mlp.storage.database import Database
from tests.unit.registry.conftest import AddVersion
from tests.versions import new_version, zip_bytes

FOLDER = zip_bytes({"mlp.toml": b"[model]\n", "model.py": b"def load(folder): ...\n" * 1000})


def zips_in(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "artefacts").glob("*.zip"))


def unfinished_in(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "artefacts" / "incoming").glob("*"))


def make_old(path: Path) -> None:
    stamp = path.stat().st_mtime - UNUSED_SECONDS - 60
    os.utime(path, (stamp, stamp))


async def stream(content: bytes, chunk_bytes: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), chunk_bytes):
        yield content[start : start + chunk_bytes]
    yield b""


def test_upload_becomes_a_job_that_knows_its_digest(
    registry: RegistryService, jobs: JobService, tmp_path: Path
) -> None:
    job = registry.accept_upload("churn", [FOLDER], alias="challenger", allow_mismatch=True)

    assert (job.kind, job.model, job.state) == ("registry.accept", "churn", "queued")
    (archive,) = zips_in(tmp_path)
    assert archive.read_bytes() == FOLDER
    assert jobs.get(job.id).state is JobState.QUEUED
    assert unfinished_in(tmp_path) == []


def test_payload_tells_the_task_everything(registry: RegistryService, database: Database) -> None:
    registry.accept_upload("Cafe\u0301", [FOLDER], alias="challenger", allow_mismatch=True)

    with database.reading() as connection:
        payload = connection.execute(sa.text("SELECT payload FROM job_payloads")).scalar_one()
    told = msgspec.json.decode(payload, type=AcceptPayload)
    assert (told.model, told.alias, told.allow_mismatch) == ("Caf\u00e9", "challenger", True)
    assert told.size_bytes == len(FOLDER)


@pytest.mark.parametrize(
    ("model", "alias", "size_bytes", "expected"),
    [
        ("a/b", None, None, BadInput),
        ("churn", "Bad Alias", None, BadInput),
        ("churn", None, 1_000_001, BodyTooLarge),
    ],
)
def test_upload_is_refused_before_it_begins(
    registry: RegistryService, model: str, alias: str | None, size_bytes: int | None, expected: type[MLPError]
) -> None:
    with pytest.raises(expected):
        registry.uploads.check(model, alias, size_bytes)


def test_upload_of_the_largest_size_may_begin(registry: RegistryService) -> None:
    assert registry.uploads.check("churn", "champion", 1_000_000) == "churn"


@pytest.mark.parametrize(
    "content", [b"", b"{}", FOLDER[:-30], zip_bytes({"../x": b""})], ids=["empty", "json", "cut", "dots"]
)
def test_upload_of_no_model_folder_is_refused_at_once_and_leaves_nothing(
    registry: RegistryService, jobs: JobService, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(BadModelFolder):
        registry.accept_upload("churn", [content])

    assert zips_in(tmp_path) == unfinished_in(tmp_path) == []
    assert jobs.list_jobs().items == ()


def test_crash_before_the_job_leaves_an_unneeded_file_alone(
    registry: RegistryService, jobs: JobService, tmp_path: Path
) -> None:
    jobs.close()  # from now on every job is refused, as if the process ended here

    with pytest.raises(MLPError):
        registry.accept_upload("churn", [FOLDER])

    (archive,) = zips_in(tmp_path)
    assert registry.uploads.sweep() == 0
    make_old(archive)
    assert registry.uploads.sweep() == 1
    assert zips_in(tmp_path) == []


def test_stream_is_received_whole(registry: RegistryService, tmp_path: Path) -> None:
    content = os.urandom(999_999)

    received = asyncio.run(registry.uploads.receive(stream(content, 70_000)))

    assert received.size_bytes == len(content)
    assert received.path.read_bytes() == content


def test_stream_is_never_in_memory_whole(
    registry: RegistryService, database: Database, jobs: JobService, tmp_path: Path
) -> None:
    settings = Settings(folder=tmp_path, upload_bytes_max=10 * 2**20)
    written: list[int] = []

    class WatchedStore(ArtefactStore):
        def begin(self, limit_bytes: int) -> "WatchedIncoming":
            return WatchedIncoming(tmp_path / "watched.zip", limit_bytes)

    class WatchedIncoming(Incoming):
        def write(self, block: bytes) -> None:
            written.append(len(block))
            super().write(block)

    watched = Uploads(database, WatchedStore(tmp_path / "artefacts"), jobs, settings)

    received = asyncio.run(watched.receive(stream(bytes(8 * 2**20), 65_536)))

    assert received.size_bytes == 8 * 2**20
    assert max(written) <= 2**20 + 65_536
    assert len(written) == 8


def test_stream_beyond_the_limit_is_refused_and_leaves_nothing(registry: RegistryService, tmp_path: Path) -> None:
    with pytest.raises(BodyTooLarge):
        asyncio.run(registry.uploads.receive(stream(bytes(1_000_001))))

    assert unfinished_in(tmp_path) == []


def test_stream_that_breaks_off_leaves_nothing(registry: RegistryService, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"begin"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(registry.uploads.receive(breaking()))

    assert unfinished_in(tmp_path) == []


def test_stream_that_is_cancelled_leaves_nothing(registry: RegistryService, tmp_path: Path) -> None:
    async def run() -> None:
        has_begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"begin"
            has_begun.set()
            await asyncio.Event().wait()

        receiving = asyncio.create_task(registry.uploads.receive(endless()))
        await asyncio.wait_for(has_begun.wait(), 10)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving

    asyncio.run(run())

    assert unfinished_in(tmp_path) == []


def test_stream_that_stands_still_is_given_up(registry: RegistryService, tmp_path: Path) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    with pytest.raises(MalformedBody, match="stood still for 0 s"):
        asyncio.run(registry.uploads.receive(silent(), silence_seconds=0.05))

    assert unfinished_in(tmp_path) == []


def test_sweep_leaves_what_versions_need(
    registry: RegistryService, add: AddVersion, tmp_path: Path, artefacts: ArtefactStore
) -> None:
    digest = add().digest
    unneeded = artefacts.keep(artefacts.receive([FOLDER], 10**6))
    artefacts.open_folder(digest)
    for archive in zips_in(tmp_path):
        make_old(archive)

    assert registry.uploads.sweep() == 1

    assert artefacts.sizes().keys() == {digest}
    assert unneeded != digest


def test_sweep_removes_what_a_deleted_version_needed(
    registry: RegistryService, add: AddVersion, tmp_path: Path, artefacts: ArtefactStore
) -> None:
    add()
    artefacts.open_folder(add().digest)
    registry.delete_version("churn", "2")
    for archive in zips_in(tmp_path):
        make_old(archive)

    assert registry.uploads.sweep() == 1
    assert len(artefacts.sizes()) == 1


def test_sweep_leaves_an_artefact_that_another_version_shares(
    registry: RegistryService, add: AddVersion, tmp_path: Path, artefacts: ArtefactStore
) -> None:
    digest = add().digest
    registry.add_version(new_version("churn", digest=digest))
    registry.delete_version("churn", "2")
    make_old(zips_in(tmp_path)[0])

    assert registry.uploads.sweep() == 0


def test_sweep_leaves_everything_while_a_registration_waits(registry: RegistryService, tmp_path: Path) -> None:
    registry.accept_upload("churn", [FOLDER])
    make_old(zips_in(tmp_path)[0])

    assert registry.uploads.sweep() == 0


def test_sweep_removes_the_upload_of_a_registration_that_ended(
    registry: RegistryService, jobs: JobService, tmp_path: Path
) -> None:
    job = registry.accept_upload("churn", [FOLDER])
    make_old(zips_in(tmp_path)[0])
    jobs.cancel(job.id)

    assert registry.uploads.sweep() == 1


def test_sweep_clears_abandoned_uploads(registry: RegistryService, artefacts: ArtefactStore, tmp_path: Path) -> None:
    fresh = artefacts.receive([b"x"], 10)
    abandoned = artefacts.receive([b"y"], 10)
    make_old(abandoned.path)

    registry.uploads.sweep()

    assert unfinished_in(tmp_path) == [fresh.path]
