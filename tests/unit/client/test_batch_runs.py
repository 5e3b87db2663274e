"""A run goes on where the server is, and writes its result whole; the server here is a table of batches in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlp.client.batch_runs import BatchRun, run_batch, write_whole
from mlp.client.batches import Batch, BatchError, BatchesClient, BatchOptions
from mlp.client.models import ModelsClient
from mlp.errors import BadInput, Conflict, SignatureMismatch

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH = Batch("0195", "churn", "1", "csv", "collect", "running", 10, 1, 2, 0, 0, 0.0, AT)


class Batches:
    """The batches of a server, each of which ends as ``ends_as`` says when it is looked at."""

    def __init__(self) -> None:
        self.by_key: dict[str, Batch] = {}
        self.ends_as = "succeeded"
        self.champion = "1"

    def list(self, *, idempotency_key: str, **_page: int) -> list[Batch]:
        return [self.by_key[idempotency_key]] if idempotency_key in self.by_key else []

    def submit(self, model: str, _file: Path, *, idempotency_key: str, **_options: Any) -> Batch:
        batch = replace(BATCH, id=f"b{len(self.by_key)}", model=model, version=self.champion)
        self.by_key[idempotency_key] = batch
        return batch

    def show(self, batch_id: str, _wait_seconds: float) -> Batch:
        key = next(key for key, batch in self.by_key.items() if batch.id == batch_id)
        error = BatchError("signature_mismatch", "line 2: no number", 2) if self.ends_as == "failed" else None
        self.by_key[key] = replace(self.by_key[key], state=self.ends_as, error=error)  # type: ignore[arg-type]
        return self.by_key[key]

    def result(self, batch_id: str) -> Iterator[bytes]:
        yield b"line\n"
        yield batch_id.encode()


def run(batches: Batches, folder: Path, **options: Any) -> BatchRun:
    models = SimpleNamespace(version=lambda _name, _ref: SimpleNamespace(version=batches.champion))
    return run_batch(
        cast("BatchesClient", batches),
        cast("ModelsClient", models),
        "churn",
        folder / "in.csv",
        folder / "out.csv",
        cast("BatchOptions", options),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text("x\n1\n")
    return tmp_path


def test_run_writes_the_result(folder: Path) -> None:
    done = run(Batches(), folder)

    assert (done.batch.state, done.is_continued) == ("succeeded", False)
    assert (folder / "out.csv").read_bytes() == b"line\nb0"


def test_same_file_goes_on_with_its_batch_and_another_one_does_not(folder: Path) -> None:
    batches = Batches()
    first = run(batches, folder)

    again = run(batches, folder)
    with_key = run(batches, folder, key="x")
    (folder / "in.csv").write_text("x\n2\n")
    changed = run(batches, folder)

    assert (again.batch.id, again.is_continued) == (first.batch.id, True)
    assert [with_key.is_continued, changed.is_continued] == [False, False]


def test_answers_of_a_champion_that_was_replaced_are_not_taken_again(folder: Path) -> None:
    batches = Batches()
    run(batches, folder)
    batches.champion = "2"

    again = run(batches, folder)

    assert (again.is_continued, again.batch.version) == (False, "2")


def test_batch_that_failed_raises_and_is_begun_anew_by_the_next_run(folder: Path) -> None:
    batches = Batches()
    batches.ends_as = "failed"
    (folder / "out.csv").write_text("old")

    with pytest.raises(SignatureMismatch, match="batch b0: line 2: no number"):
        run(batches, folder)
    old = (folder / "out.csv").read_text()
    batches.ends_as = "succeeded"

    assert old == "old"
    assert run(batches, folder).batch.id == "b1"


def test_file_that_is_being_sent_is_left_alone(folder: Path) -> None:
    batches = Batches()
    run(batches, folder)
    (key,) = batches.by_key
    batches.by_key[key] = replace(batches.by_key[key], state="receiving")

    with pytest.raises(Conflict, match="cancel batch b0"):
        run(batches, folder)


def test_result_that_breaks_off_leaves_the_older_file(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    (tmp_path / "out.csv").write_text("old")

    with pytest.raises(BadInput, match="cannot be written"):
        write_whole(tmp_path / "out.csv", breaking())

    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "old"


def test_result_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        write_whole(tmp_path / "none" / "out.csv", [b""])


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        run(Batches(), tmp_path)
