"""A file while it arrives."""

from pathlib import Path

import pytest

from mlp.errors import BodyTooLarge
from mlp.storage.incoming import Incoming, check_size


def test_incoming_file_that_is_finished_can_be_read(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path / "new" / "file.zip", limit_bytes=10)
    incoming.write(b"abc")

    received = incoming.finish()

    assert received.path.read_bytes() == b"abc"
    assert (received.size_bytes, received.digest[:8]) == (3, "ba7816bf")


def test_incoming_file_that_is_discarded_is_gone(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path / "file.zip", limit_bytes=10)
    incoming.write(b"abc")

    incoming.discard()
    incoming.discard()

    assert list(tmp_path.iterdir()) == []


def test_received_file_that_is_discarded_is_gone(tmp_path: Path) -> None:
    received = Incoming(tmp_path / "file.zip", limit_bytes=10).finish()

    received.discard()
    received.discard()

    assert list(tmp_path.iterdir()) == []


def test_incoming_file_never_overwrites_another(tmp_path: Path) -> None:
    (tmp_path / "file.zip").write_bytes(b"other")

    with pytest.raises(FileExistsError):
        Incoming(tmp_path / "file.zip", limit_bytes=10)


def test_size_within_the_limit_is_allowed() -> None:
    check_size(10, 10)


def test_size_beyond_the_limit_is_refused_with_the_setting() -> None:
    with pytest.raises(BodyTooLarge, match=r"10 bytes.*MLP_UPLOAD_BYTES_MAX"):
        check_size(11, 10)
