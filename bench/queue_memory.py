"""Whether the server's and the worker's memory stays the same over 1,000,000 jobs.

Jobs are submitted many in a request, never more than the workers keep up with; memory in RAM (RSS) is read after every
twentieth of them. Ends with exit code 1 if a process has grown by more than the bar between a quarter of the jobs and
all of them; fewer than 100,000 jobs are not judged.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from bench.jobs.ending import end_in_order_on_signal
from bench.jobs.exchange import Exchange
from bench.jobs.product import POLL_SECONDS, SUBMIT_PATH, Product, RunningProduct
from bench.jobs.servers import Servers
from bench.jobs.usage import resident_bytes

JOBS = 1_000_000
JOBS_JUDGED_MIN = 100_000
#: Allocators keep some of what they were given once; a leak of 100 bytes a job would be 75 MB here.
BAR_GROWN_SHARE = 0.10
SAMPLES = 20
BULK_JOBS = 1_000
#: About what is on disk of a job with its payload, result, index entries, recorded prediction and write-ahead log.
_DISK_BYTES_PER_JOB = 6_000
_KEEP_UP_SECONDS = 300.0

Sample = dict[str, int]


def read_memory(running: RunningProduct) -> Sample:
    """RSS in bytes by process; the worker's processes under their pids, so that a new one is seen."""
    sample = {"mlp serve": resident_bytes(running.server.pid)}
    sample["worker, parent"] = resident_bytes(running.worker.process.pid)
    for pid in running.worker_process_pids():
        sample[f"worker, {pid}"] = resident_bytes(pid)
    return sample


def submit(exchange: Exchange, bodies: Iterator[bytes], jobs: int) -> None:
    """Submit that many jobs in bulk."""
    document = b'{"jobs":[' + b",".join(islice(bodies, jobs)) + b"]}"
    status, answer = exchange.post(f"{SUBMIT_PATH}/bulk", document)
    if status != 202:
        raise RuntimeError(f"the bulk submit was answered by {status}: {answer[:500]!r}")


def keep_up(running: RunningProduct, depth_max: int) -> None:
    """Return when no more than that many jobs are queued."""
    deadline = time.monotonic() + _KEEP_UP_SECONDS
    while running.depth(depth_max + 1) > depth_max:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the workers have not kept up for {_KEEP_UP_SECONDS:g} s: {running.worker.trouble()}")
        time.sleep(POLL_SECONDS)


def measure(product: Product, jobs: int) -> list[Sample]:
    """A sample at the start and after each twentieth of the jobs."""
    bodies = cycle(product.bodies_file.read_bytes().splitlines())
    portion = max(1, min(BULK_JOBS, jobs // SAMPLES))
    submitted = 0
    with product.running() as running, Exchange(running.port) as exchange:
        samples = [read_memory(running)]
        began_at = time.monotonic()
        while submitted < jobs:
            size = min(portion, jobs - submitted)
            submit(exchange, bodies, size)
            submitted += size
            keep_up(running, portion)
            if submitted * SAMPLES >= len(samples) * jobs:
                samples.append(read_memory(running))
                print_sample(submitted, jobs, time.monotonic() - began_at, samples[-1])
        running.wait_idle(_KEEP_UP_SECONDS)
        samples[-1] = read_memory(running)
        print(f"the queue at the end: {running.queue_state()}")
    return samples


def print_sample(submitted: int, jobs: int, seconds: float, sample: Sample) -> None:
    memory = ", ".join(f"{what} {size / 2**20:.1f}" for what, size in sample.items())
    print(f"{submitted / jobs:4.0%} after {seconds:6.0f} s, MiB: {memory}", flush=True)


def judge(samples: list[Sample], jobs: int) -> int:
    """The exit code; prints the curve."""
    last = len(samples) - 1
    shown = {"start": 0, "25 %": last // 4, "50 %": last // 2, "75 %": 3 * last // 4, "end": last}
    print(f"{'RSS in MiB':<24}" + "".join(f"{name:>9}" for name in shown) + "   grown since 25 %")
    is_met = True
    for what in samples[last // 4]:
        sizes = [samples[number].get(what, 0) for number in shown.values()]
        grown = sizes[-1] / sizes[1] - 1
        # A process that has ended counts as grown: its successor's memory says nothing.
        is_met = is_met and sizes[-1] > 0 and grown <= BAR_GROWN_SHARE
        print(f"{what:<24}" + "".join(f"{size / 2**20:9.1f}" for size in sizes) + f"   {grown:+.1%}")
    if jobs < JOBS_JUDGED_MIN:
        print(f"not judged: the bar is for at least {JOBS_JUDGED_MIN:,} jobs")
        return 0
    print(f"grown by at most {BAR_GROWN_SHARE:.0%} each: {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--rounds", type=int, default=1, help="how often, each from an empty database")
    wanted = parser.parse_args()
    end_in_order_on_signal()
    free_bytes = shutil.disk_usage(tempfile.gettempdir()).free
    if free_bytes < wanted.jobs * _DISK_BYTES_PER_JOB:
        needed_gb = wanted.jobs * _DISK_BYTES_PER_JOB / 1e9
        sys.exit(f"{needed_gb:.1f} GB must be free for {wanted.jobs:,} jobs, and {free_bytes / 1e9:.1f} GB are")
    exit_code = 0
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name, Servers() as servers:
        product = Product(servers, Path(name))
        for _ in range(wanted.rounds):
            product.empty()
            exit_code = max(exit_code, judge(measure(product, wanted.jobs), wanted.jobs))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
