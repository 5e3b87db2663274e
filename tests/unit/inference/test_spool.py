"""The spool: what was appended is read back, through segments, torn frames, crashes and a full disk."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import RecordingUnavailable
from mlp.inference.spool import START, Position, SpoolWriter, adopt_orphans, read_frames, segment_path, segments


def writer(root: Path, **settings: int) -> SpoolWriter:
    return SpoolWriter(
        root, segment_bytes=settings.get("segment_bytes", 1 << 20), bytes_max=settings.get("bytes_max", 1 << 30)
    )


def payloads(folder: Path, start: Position = START, stop: Position | None = None) -> list[bytes]:
    return [payload for payload, _end in read_frames(folder, start, stop)]


def test_spool_frames_are_read_back_in_order(tmp_path: Path) -> None:
    spool = writer(tmp_path)

    spool.append([b"one", b""])
    spool.append([b"three"])

    assert payloads(spool.folder, stop=spool.position()) == [b"one", b"", b"three"]
    spool.close()


def test_spool_full_segments_are_closed_and_read_on_across(tmp_path: Path) -> None:
    spool = writer(tmp_path, segment_bytes=32)

    for number in range(10):
        spool.append([b"%d" % number * 10])

    assert len(segments(spool.folder)) > 3
    assert payloads(spool.folder) == [b"%d" % number * 10 for number in range(10)]
    spool.close()


def test_spool_reading_goes_on_from_a_position(tmp_path: Path) -> None:
    spool = writer(tmp_path, segment_bytes=32)
    spool.append([b"a" * 20])
    between = spool.position()
    spool.append([b"b" * 20])

    assert payloads(spool.folder, start=between) == [b"b" * 20]
    spool.close()


@pytest.mark.parametrize("cut_bytes", [1, 3, 8, 10])
def test_spool_torn_last_frame_is_passed_over(tmp_path: Path, cut_bytes: int) -> None:
    spool = writer(tmp_path)
    spool.append([b"whole", b"torn"])
    spool.close()
    path = segment_path(spool.folder, 0)
    os.truncate(path, path.stat().st_size - cut_bytes)

    assert payloads(spool.folder) == [b"whole"]


def test_spool_flipped_bit_ends_its_segment_only(tmp_path: Path) -> None:
    spool = writer(tmp_path, segment_bytes=16)
    spool.append([b"first segment"])
    spool.append([b"second segment"])
    spool.close()
    path = segment_path(spool.folder, 0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    assert payloads(spool.folder) == [b"second segment"]


def test_spool_limit_reached_refuses_whole_and_takes_again_after_the_drain(tmp_path: Path) -> None:
    spool = writer(tmp_path, segment_bytes=40, bytes_max=100)
    spool.append([b"x" * 40])
    spool.append([b"y" * 40])

    with pytest.raises(RecordingUnavailable, match="MLP_SPOOL_BYTES_MAX"):
        spool.append([b"z" * 40])
    spool.forget_before(spool.position().segment)
    spool.append([b"z" * 40])

    assert payloads(spool.folder, stop=spool.position()) == [b"z" * 40]
    spool.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_spool_write_that_breaks_off_refuses_whole_and_goes_on_behind_it(tmp_path: Path) -> None:
    if sys.platform != "win32":
        import resource

        spool = writer(tmp_path)
        spool.append([b"before"])
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.position().offset_bytes + 20, limits[1]))

        with pytest.raises(RecordingUnavailable, match="File too large"):
            spool.append([b"broken off" * 10])
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
        spool.append([b"after"])

        assert payloads(spool.folder, stop=spool.position()) == [b"before", b"after"]
        spool.close()


def test_adopt_orphans_takes_what_nobody_holds_and_leaves_the_living(tmp_path: Path) -> None:
    living, gone = writer(tmp_path), writer(tmp_path)
    gone.append([b"left behind"])
    gone.close()

    adopted = list(adopt_orphans(tmp_path, own_id="mine"))

    assert [orphan.id for orphan in adopted] == [gone.id]
    assert list(adopt_orphans(tmp_path, own_id="mine")) == []
    adopted[0].remove()
    assert not gone.folder.exists()
    living.close()


@given(blocks=st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=8), segment_bytes=st.integers(1, 120))
def test_spool_any_blocks_in_any_segments_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[bytes]], segment_bytes: int
) -> None:
    spool = writer(tmp_path_factory.mktemp("spool"), segment_bytes=segment_bytes)

    for block in blocks:
        spool.append(block)

    assert payloads(spool.folder, stop=spool.position()) == [payload for block in blocks for payload in block]
    spool.close()
