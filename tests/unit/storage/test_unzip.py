"""What is unpacked, and everything that is not."""

import hashlib
import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp.errors import BadModelFolder
from mlp.storage import unzip
from tests.unit.storage.conftest import ZipWriter
from tests.versions import zip_bytes

MIB = 2**20


def refusal_of(path: Path, bytes_max: int = MIB) -> str:
    with pytest.raises(BadModelFolder) as refused:
        unzip.check(path, bytes_max)
    return refused.value.message


def written(tmp_path: Path, entry: zipfile.ZipInfo, content: bytes = b"x") -> Path:
    path = tmp_path / "upload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, content)
    return path


def test_folder_is_unpacked_with_the_digests_of_its_files(tmp_path: Path, write_zip: ZipWriter) -> None:
    archive = write_zip({"mlp.toml": b"[model]", "code/inner/model.py": b"pass", "empty/": b""})
    folder = tmp_path / "folder"
    folder.mkdir()

    digests = unzip.unpack(archive, folder, MIB)

    assert (folder / "code" / "inner" / "model.py").read_bytes() == b"pass"
    assert (folder / "empty").is_dir()
    assert digests == {
        "mlp.toml": hashlib.sha256(b"[model]").hexdigest(),
        "code/inner/model.py": hashlib.sha256(b"pass").hexdigest(),
    }


def test_unpacked_files_are_read_only(tmp_path: Path, write_zip: ZipWriter) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    unzip.unpack(write_zip({"mlp.toml": b"x"}), folder, MIB)

    assert stat.S_IMODE((folder / "mlp.toml").stat().st_mode) & 0o222 == 0


@pytest.mark.parametrize("name", ["Büro.csv", "模型.joblib", "a b.txt", "x" * 255, ".hidden", "a/b/c/d.bin", "~x"])
def test_unusual_names_are_unpacked(tmp_path: Path, write_zip: ZipWriter, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    digests = unzip.unpack(write_zip({name: b"x"}), folder, MIB)

    assert list(digests) == [name]
    assert (folder / name).read_bytes() == b"x"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../outside",
        "code/../../outside",
        "./mlp.toml",
        "a//b",
        "",
        "C:/windows",
        "C:evil",
        "a\\..\\..\\b",
        "line\nbreak",
        "bell\x07",
        "NUL",
        "code/aux.py",
        "com1.txt",
        "trailing.",
        "trailing ",
        "what?.txt",
        "x" * 256,
        "é" * 128,
        "/".join(["d" * 100] * 11),
    ],
    ids=lambda name: repr(name[:20]),
)
def test_entry_with_a_dangerous_name_is_refused(tmp_path: Path, write_zip: ZipWriter, name: str) -> None:
    refusal = refusal_of(write_zip({name: b"x"}))

    assert "cannot be unpacked" in refusal or "name of more than" in refusal


def test_entry_whose_name_is_cut_at_a_nul_is_refused(tmp_path: Path) -> None:
    content = zip_bytes({"model.pyXevil": b"x"}).replace(b"model.pyXevil", b"model.py\0evil")
    path = tmp_path / "upload.zip"
    path.write_bytes(content)

    assert "control characters" in refusal_of(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (kind | 0o777) << 16

    assert "link or a device" in refusal_of(written(tmp_path, entry, b"/etc/passwd"))


def test_encrypted_entry_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a": b"x"}))
    # Bit 0 of the general purpose flags, in the local header (offset 6) and in the central one (offset 8).
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "upload.zip"
    path.write_bytes(content)

    assert "encrypted" in refusal_of(path)


def test_rare_compression_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(zip_bytes({"a": b"x"}, zipfile.ZIP_LZMA))

    assert "rare way" in refusal_of(path)


@pytest.mark.parametrize(
    "names",
    [("model.py", "Model.py"), ("é", "e\u0301"), ("a", "a/b"), ("a/b/c", "A/b")],
    ids=lambda names: "-".join(names),
)
def test_names_that_some_file_system_takes_for_one_are_refused(write_zip: ZipWriter, names: tuple[str, str]) -> None:
    refusal = refusal_of(write_zip({name: b"x" for name in names}))

    assert "twice" in refusal or "file and a folder" in refusal


def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(zip_bytes({"a": b"x", "b": b"y"}).replace(b"b", b"a"))

    assert "twice" in refusal_of(path)


def test_folder_named_twice_is_fine(tmp_path: Path, write_zip: ZipWriter) -> None:
    unzip.check(write_zip({"code/": b"", "code/a": b"x", "code/b": b"y"}), MIB)


def test_more_bytes_than_allowed_are_refused_before_unpacking(write_zip: ZipWriter) -> None:
    refusal = refusal_of(write_zip({"a": b"x" * 600, "b": b"x" * 600}), bytes_max=1000)

    assert "1,200 bytes, 1,000 are allowed" in refusal


def test_bomb_is_refused_by_its_ratio(write_zip: ZipWriter) -> None:
    refusal = refusal_of(write_zip({"zeros": bytes(65 * MIB)}), bytes_max=10**12)

    assert "more than 200 times" in refusal


def test_zeros_in_moderation_are_believed(write_zip: ZipWriter) -> None:
    unzip.check(write_zip({"zeros": bytes(4 * MIB)}), 10**12)


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    # Two entries of the table of contents over one and the same content.
    content = zip_bytes({"a": b"x" * 5000}, zipfile.ZIP_STORED)
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    central = content[start:end]
    ending = bytearray(content[end:])
    struct.pack_into("<HHI", ending, 8, 2, 2, 2 * len(central))
    path = tmp_path / "upload.zip"
    path.write_bytes(content[:start] + central + central.replace(b"a", b"b") + bytes(ending))

    assert "overlap" in refusal_of(path)


def test_too_many_entries_are_refused(write_zip: ZipWriter) -> None:
    refusal = refusal_of(write_zip({f"{number}": b"" for number in range(unzip.ENTRIES_MAX + 1)}))

    assert "10,001 entries" in refusal


def test_huge_table_of_contents_is_refused_without_reading_it(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a": b"x"}))
    end = content.index(b"PK\x05\x06")
    filler = 5 * MIB
    struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + filler)
    path = tmp_path / "upload.zip"
    path.write_bytes(content[:end] + bytes(filler) + content[end:])

    assert "more than 4 MiB" in refusal_of(path)


def test_entry_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a": b"x" * 5000}))
    # The sizes of the central header say 10 bytes; the checksum then cannot fit.
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    path = tmp_path / "upload.zip"
    path.write_bytes(content)
    folder = tmp_path / "folder"
    folder.mkdir()

    with pytest.raises(BadModelFolder, match="damaged"):
        unzip.unpack(path, folder, MIB)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 10


def test_zip_that_points_outside_itself_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a": b"x"}))
    # The table of contents is said to begin elsewhere, which puts the entry before the file's first byte.
    struct.pack_into("<I", content, content.index(b"PK\x05\x06") + 16, 0xFFFFFF)
    path = tmp_path / "upload.zip"
    path.write_bytes(content)
    folder = tmp_path / "folder"
    folder.mkdir()

    with pytest.raises(BadModelFolder, match="damaged"):
        unzip.unpack(path, folder, MIB)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"PK", b"\x80\x04pickle" * 100], ids=["nothing", "json", "two", "pickle"]
)
def test_what_is_no_zip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(content)

    assert "no zip file" in refusal_of(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 400))
def test_damaged_zip_is_unpacked_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, cut: int
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    content = bytearray(zip_bytes({"mlp.toml": b"[model]\n", "code/model.py": b"def load(): ...\n" * 20}))
    content[position % len(content)] = byte
    archive, folder = root / "upload.zip", root / "inner" / "folder"
    archive.write_bytes(content[: len(content) - cut] if cut % 2 else content)
    folder.mkdir(parents=True)

    try:
        unzip.unpack(archive, folder, MIB)
    except BadModelFolder:
        pass

    assert {path.name for path in root.iterdir()} == {"upload.zip", "inner"}
    assert {path.name for path in (root / "inner").iterdir()} == {"folder"}


def test_zip_of_a_large_file_is_unpacked_in_blocks(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    content = bytes(range(256)) * (3 * MIB // 256) + b"end"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.bin", content)
    path = tmp_path / "upload.zip"
    path.write_bytes(buffer.getvalue())
    folder = tmp_path / "folder"
    folder.mkdir()

    digests = unzip.unpack(path, folder, 4 * MIB)

    assert digests["weights.bin"] == hashlib.sha256(content).hexdigest()
    assert (folder / "weights.bin").read_bytes() == content
