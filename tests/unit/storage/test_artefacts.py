"""Artefacts: kept whole, verified at every opening, and nothing half-written left behind."""

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlp.errors import ArtefactCorrupt, BadModelFolder, BodyTooLarge, StorageFull, UnknownName
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.disk import remove_tree
from tests.versions import zip_bytes

FOLDER = zip_bytes({"mlp.toml": b"[model]\n", "model.joblib": bytes(range(256)) * 40, "code/steps.py": b"x = 1\n"})
LIMIT = 10**6
HOUR = 3600.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artefacts"


@pytest.fixture
def store(root: Path) -> ArtefactStore:
    return ArtefactStore(root, unpacked_bytes_max=LIMIT)


@pytest.fixture
def digest(store: ArtefactStore) -> str:
    """Of an artefact that is kept."""
    return store.keep(store.receive([FOLDER], LIMIT))


with_file_limits = pytest.mark.skipif(sys.platform == "win32", reason="only on systems with ulimit")


@contextmanager
def small_files() -> Iterator[None]:
    """The system refuses to write files of more than 4 KiB, as a full disk refuses to write any.

    A block and no fixture: pytest reports before it takes fixtures down, and its output may be a larger file.
    """
    if sys.platform == "win32":
        yield
    else:
        import resource

        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, usual[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def make_older(path: Path, seconds: float) -> None:
    stamp = path.stat().st_mtime - seconds
    os.utime(path, (stamp, stamp))


def test_upload_is_received_with_digest_and_size(store: ArtefactStore) -> None:
    received = store.receive([FOLDER[:100], b"", FOLDER[100:]], LIMIT)

    assert received.digest == hashlib.sha256(FOLDER).hexdigest()
    assert received.size_bytes == len(FOLDER)
    assert received.path.read_bytes() == FOLDER


def test_kept_upload_opens_as_its_folder(store: ArtefactStore, root: Path, digest: str) -> None:
    folder = store.open_folder(digest)

    assert folder == root / "unpacked" / digest
    assert (folder / "code" / "steps.py").read_text() == "x = 1\n"
    assert files_in(root / "incoming") == set()


def test_upload_beyond_the_limit_is_refused_and_leaves_nothing(store: ArtefactStore, root: Path) -> None:
    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        store.receive([b"12345", b"123456"], 10)

    assert files_in(root) == set()


def test_upload_of_exactly_the_limit_is_received(store: ArtefactStore) -> None:
    assert store.receive([b"12345", b"12345"], 10).size_bytes == 10


def test_upload_that_breaks_off_leaves_nothing(store: ArtefactStore, root: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"begin"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        store.receive(breaking(), LIMIT)

    assert files_in(root) == set()


@with_file_limits
def test_full_disk_refuses_an_upload_and_leaves_nothing(store: ArtefactStore, root: Path) -> None:
    with small_files(), pytest.raises(StorageFull, match="disk of the artefacts is full"):
        store.receive([b"x" * 100_000], LIMIT)

    assert files_in(root) == set()


@with_file_limits
def test_full_disk_refuses_to_unpack_and_leaves_the_artefact(store: ArtefactStore, root: Path, digest: str) -> None:
    with small_files(), pytest.raises(StorageFull):
        store.open_folder(digest)

    assert files_in(root / "unpacked") == set()
    assert (root / f"{digest}.zip").read_bytes() == FOLDER


def test_same_upload_twice_is_one_artefact(store: ArtefactStore, root: Path, digest: str) -> None:
    again = store.keep(store.receive([FOLDER], LIMIT))

    assert again == digest
    assert [path.name for path in root.glob("*.zip")] == [f"{digest}.zip"]
    assert files_in(root / "incoming") == set()


def test_keeping_the_same_upload_again_heals_a_damaged_artefact(store: ArtefactStore, root: Path, digest: str) -> None:
    flip_a_byte(root / f"{digest}.zip")

    store.keep(store.receive([FOLDER], LIMIT))

    assert (store.open_folder(digest) / "mlp.toml").exists()


def test_damaged_artefact_is_refused_even_if_it_is_unpacked(store: ArtefactStore, root: Path, digest: str) -> None:
    store.open_folder(digest)
    flip_a_byte(root / f"{digest}.zip")

    with pytest.raises(ArtefactCorrupt, match=f"{digest} is damaged.*restore {digest}.zip from a backup") as refused:
        store.open_folder(digest)
    assert refused.value.extra == {"digest": digest}


def test_missing_artefact_is_refused_even_if_it_is_unpacked(store: ArtefactStore, root: Path, digest: str) -> None:
    store.open_folder(digest)
    (root / f"{digest}.zip").unlink()

    with pytest.raises(ArtefactCorrupt, match="is gone"):
        store.open_folder(digest)


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "A" * 64, "a" * 65])
def test_what_is_no_digest_is_refused(store: ArtefactStore, name: str) -> None:
    with pytest.raises(ArtefactCorrupt, match="no SHA-256 digest"):
        store.open_folder(name)


def damage_content(folder: Path) -> None:
    flip_a_byte(folder / "model.joblib")


def damage_by_cutting(folder: Path) -> None:
    (folder / "code" / "steps.py").chmod(0o600)
    (folder / "code" / "steps.py").write_bytes(b"")


def damage_by_deleting(folder: Path) -> None:
    (folder / "mlp.toml").chmod(0o600)
    (folder / "mlp.toml").unlink()


def damage_by_adding(folder: Path) -> None:
    (folder / "numpy.py").write_text("raise SystemExit")


def damage_by_linking(folder: Path) -> None:
    if os.name == "nt":
        pytest.skip("only on systems where everybody may make links")
    (folder / "mlp.toml").unlink()
    (folder.parent / "elsewhere").write_bytes(b"[model]\n")
    (folder / "mlp.toml").symlink_to(folder.parent / "elsewhere")


def damage_the_manifest(folder: Path) -> None:
    folder.with_name(f"{folder.name}.json").write_text("{")


def damage_everything(folder: Path) -> None:
    remove_tree(folder)


@pytest.mark.parametrize(
    "damage",
    [
        damage_content,
        damage_by_cutting,
        damage_by_deleting,
        damage_by_adding,
        damage_by_linking,
        damage_the_manifest,
        damage_everything,
    ],
)
def test_damaged_folder_is_unpacked_again(store: ArtefactStore, digest: str, damage: Callable[[Path], None]) -> None:
    folder = store.open_folder(digest)
    damage(folder)

    opened = store.open_folder(digest)

    assert opened == folder
    assert files_in(opened) == {"mlp.toml", "model.joblib", "code/steps.py"}
    assert (opened / "model.joblib").read_bytes() == bytes(range(256)) * 40
    assert (opened / "code" / "steps.py").read_text() == "x = 1\n"
    assert not (opened / "mlp.toml").is_symlink()
    assert [path.name for path in folder.parent.iterdir() if path.suffix == ".part"] == []


def test_intact_folder_is_not_unpacked_again(store: ArtefactStore, digest: str) -> None:
    before = (store.open_folder(digest) / "mlp.toml").stat()

    after = (store.open_folder(digest) / "mlp.toml").stat()

    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_bytecode_in_the_folder_is_removed(store: ArtefactStore, digest: str) -> None:
    folder = store.open_folder(digest)
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "steps.pyc").write_bytes(b"other code")
    before = (folder / "mlp.toml").stat().st_ino

    store.open_folder(digest)

    assert files_in(folder) == {"mlp.toml", "model.joblib", "code/steps.py"}
    assert (folder / "mlp.toml").stat().st_ino == before


def test_artefact_that_cannot_be_unpacked_is_refused_and_leaves_nothing(store: ArtefactStore, root: Path) -> None:
    content = zip_bytes({"../outside": b"x"})
    digest = store.keep(store.receive([content], LIMIT))

    with pytest.raises(BadModelFolder, match="outside"):
        store.open_folder(digest)
    assert files_in(root / "unpacked") == set()


def test_check_refuses_what_cannot_be_unpacked(store: ArtefactStore) -> None:
    with pytest.raises(BadModelFolder, match="no zip file"):
        store.check(store.receive([b"{}"], LIMIT))


def test_folder_larger_than_allowed_is_refused(root: Path) -> None:
    store = ArtefactStore(root, unpacked_bytes_max=1000)

    with pytest.raises(BadModelFolder, match="1,000 are allowed"):
        store.check(store.receive([FOLDER], LIMIT))


def test_one_folder_opened_by_many_threads_is_whole_for_each(store: ArtefactStore, digest: str) -> None:
    barrier = threading.Barrier(6)

    def open_at_once() -> set[str]:
        barrier.wait(10)
        return files_in(store.open_folder(digest))

    with ThreadPoolExecutor(6) as threads:
        opened = [future.result(30) for future in [threads.submit(open_at_once) for _ in range(6)]]

    assert opened == [{"mlp.toml", "model.joblib", "code/steps.py"}] * 6


def test_deleted_artefact_is_gone_whole(store: ArtefactStore, root: Path, digest: str) -> None:
    store.open_folder(digest)

    assert store.delete(digest)

    assert [name for name in files_in(root) if digest in name] == []
    assert store.sizes() == {}
    assert store.delete(digest)


def test_young_artefact_is_not_deleted_as_idle(store: ArtefactStore, root: Path, digest: str) -> None:
    assert not store.delete(digest, idle_seconds=HOUR)
    make_older(root / f"{digest}.zip", HOUR)

    assert store.delete(digest, idle_seconds=HOUR)


def test_artefact_kept_again_is_young_again(store: ArtefactStore, root: Path, digest: str) -> None:
    make_older(root / f"{digest}.zip", 2 * HOUR)

    store.keep(store.receive([FOLDER], LIMIT))

    assert not store.delete(digest, idle_seconds=HOUR)


def test_sizes_count_packed_and_unpacked_bytes(store: ArtefactStore, digest: str) -> None:
    packed = store.sizes()

    store.open_folder(digest)

    assert packed == {digest: len(FOLDER)}
    assert store.sizes()[digest] > len(FOLDER) + 256 * 40


def test_sizes_show_what_is_left_of_an_artefact_without_its_zip(store: ArtefactStore, root: Path, digest: str) -> None:
    store.open_folder(digest)
    (root / f"{digest}.zip").unlink()

    assert store.sizes().keys() == {digest}


def test_abandoned_uploads_and_unpackings_are_cleared(store: ArtefactStore, root: Path, digest: str) -> None:
    store.receive([b"never kept"], LIMIT)
    (root / "unpacked" / f"{digest}.0.part" / "code").mkdir(parents=True)
    (root / "unpacked" / f"{digest}.0.part" / "code" / "half").write_bytes(b"x")

    assert store.clear_abandoned(idle_seconds=HOUR) == 0
    assert store.clear_abandoned(idle_seconds=0) == 2

    assert [name for name in files_in(root) if not name.startswith("locks")] == [f"{digest}.zip"]


def test_store_without_a_folder_is_empty(store: ArtefactStore) -> None:
    assert store.sizes() == {}
    assert store.clear_abandoned(idle_seconds=0) == 0


def test_archive_is_handed_out_as_it_was_uploaded(store: ArtefactStore, digest: str) -> None:
    assert store.archive_of(digest).read_bytes() == FOLDER


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "A" * 64, "a" * 64, "a" * 65])
def test_archive_that_is_not_here_has_no_name(store: ArtefactStore, name: str) -> None:
    with pytest.raises(UnknownName, match="no artefact"):
        store.archive_of(name)
