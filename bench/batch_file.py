"""How much memory `mlp serve` takes for a batch file, and how fast it predicts one: received, predicted, sent back.

A small file goes first, so that the model is loaded and every path has run once; what the large one takes beyond that
is printed, and is the exit code if it is over the bar: it must not grow with the file.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.jobs.usage import resident_bytes
from bench.startup import write_model
from mlp.client.batches import Batch
from tests.servers import ServerProcess

ROWS = 200_000
WARM_ROWS = 5_000
FEATURES = 30
#: A few chunks and blocks of a megabyte each, in the parser, in the jobs and in the allocator.
BAR_GROWN_BYTES = 96 * 2**20
SAMPLE_SECONDS = 0.05
PREDICT_SECONDS_MAX = 3600.0


class PeakMemory:
    """The most RAM (RSS) that a process has had since the last reading; a thread that looks."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def take(self) -> int:
        """The peak in bytes since it was last taken."""
        peak_bytes, self._peak_bytes = max(self._peak_bytes, resident_bytes(self._pid)), 0
        return peak_bytes

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            self._peak_bytes = max(self._peak_bytes, resident_bytes(self._pid))


def write_rows(path: Path, rows: int) -> int:
    """A CSV of that many rows of the model's example; its size in bytes."""
    example = (path.parent / "rows.csv").read_text().splitlines()
    lines = example[1:]
    with path.open("w") as file:
        file.write(example[0] + "\n")
        for start in range(0, rows, len(lines)):
            file.write("\n".join(lines[: rows - start]) + "\n")
    return path.stat().st_size


@contextmanager
def running(folder: Path) -> Iterator[ServerProcess]:
    """A server with the model ``cancer``."""
    model, example = write_model(folder)
    server = ServerProcess(folder / "data")
    try:
        server.wait_ready().client.models.add("cancer", str(model), example=str(example))
        yield server
    finally:
        server.kill()


def predict(server: ServerProcess, file: Path, memory: PeakMemory) -> tuple[Batch, dict[str, tuple[float, int]]]:
    """The batch of a file, and seconds and peak memory of each stage."""
    stages: dict[str, tuple[float, int]] = {}
    began_at = time.perf_counter()
    batch = server.client.batches.submit("cancer", file)
    stages["receiving"] = time.perf_counter() - began_at, memory.take()
    batch = server.client.batches.wait(batch.id, PREDICT_SECONDS_MAX)
    stages["predicting"] = time.perf_counter() - began_at, memory.take()
    assert (batch.state, batch.rows_bad) == ("succeeded", 0), batch
    sent_at = time.perf_counter()
    # As one request, as any HTTP client would: the server sends piece by piece what is never whole anywhere.
    answer = server.get(f"/v1/batches/{batch.id}/result")
    size_bytes, lines = len(answer.data), answer.data.count(b"\n")
    assert lines == batch.rows + 1, f"{lines} lines in {size_bytes} bytes"
    stages["sending back"] = time.perf_counter() - sent_at, memory.take()
    return batch, stages


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows: int = parser.parse_args().rows
    folder = Path(tempfile.mkdtemp(prefix="mlp-bench-"))
    try:
        with running(folder) as server:
            memory = PeakMemory(server.pid)
            write_rows(folder / "warm.csv", WARM_ROWS)
            predict(server, folder / "warm.csv", memory)
            before_bytes = resident_bytes(server.pid)
            size_bytes = write_rows(folder / "large.csv", rows)
            batch, stages = predict(server, folder / "large.csv", memory)
            memory.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{rows:,} rows of {FEATURES} features, {size_bytes / 1e6:.1f} MB; before: {before_bytes / 2**20:.0f} MiB")
    for stage, (seconds, peak_bytes) in stages.items():
        print(f"{stage:13} {seconds:7.1f} s   peak {peak_bytes / 2**20:5.0f} MiB")
    print(f"{rows / stages['predicting'][0]:,.0f} rows/s from the first byte to the last answer, {batch.chunks} chunks")
    grown_bytes = max(peak for _, peak in stages.values()) - before_bytes
    print(f"grown by {grown_bytes / 2**20:.0f} MiB, the bar is {BAR_GROWN_BYTES / 2**20:.0f} MiB")
    return 0 if grown_bytes <= BAR_GROWN_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
