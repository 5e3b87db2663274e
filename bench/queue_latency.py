"""From a POST to the job's result over one kept connection: POST, then GET ?wait=30, again and again.

The rows' own moments say where the time goes; PostgreSQL's clock and this process's are the same machine's. Ends with
exit code 1 if the median is over the bar; fewer than 1,000 jobs are not judged.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.jobs.ending import end_in_order_on_signal
from bench.jobs.exchange import Exchange
from bench.jobs.load import at
from bench.jobs.product import SUBMIT_PATH, Product, RunningProduct
from bench.jobs.servers import Servers

JOBS = 1_000
BAR_MILLISECONDS = 6.0
_MOMENTS = """
    SELECT id, extract(epoch FROM created_at)::float8, extract(epoch FROM started_at)::float8,
           extract(epoch FROM finished_at)::float8
    FROM jobs WHERE id = ANY(%s)
"""
_PARTS = (
    "POST sent -> row's transaction begins (created_at)",
    "-> 202 received",
    "-> attempt's transaction begins (started_at), counted from created_at",
    "-> result's transaction begins (finished_at)",
    "-> answer with the result received",
)


@dataclass(frozen=True)
class Asked:
    """One job as its submitter saw it; moments in seconds since 1970."""

    job_id: str
    sent_at: float
    accepted_at: float
    answered_at: float


def ask(exchange: Exchange, body: bytes) -> Asked:
    """Submit a job and wait for its result.

    Raises:
        RuntimeError: It was not accepted, or has not succeeded.
    """
    sent_at = time.time()
    status, answer = exchange.post(SUBMIT_PATH, body)
    accepted_at = time.time()
    if status != 202:
        raise RuntimeError(f"the job was answered by {status}: {answer[:500]!r}")
    job_id = json.loads(answer)["id"]
    status, answer = exchange.get(f"/v1/jobs/{job_id}?wait=30")
    answered_at = time.time()
    job = json.loads(answer)
    if status != 200 or job["state"] != "succeeded":
        raise RuntimeError(f"the job has not succeeded: {status} {job}")
    return Asked(job_id, sent_at, accepted_at, answered_at)


def parts_of(running: RunningProduct, asked: Sequence[Asked]) -> list[tuple[float, ...]]:
    """Of each job the seconds of each of _PARTS."""
    with running.product.servers.sql() as connection:
        rows = connection.execute(_MOMENTS, [[each.job_id for each in asked]]).fetchall()
    moments = {row[0]: row[1:] for row in rows}
    parts: list[tuple[float, ...]] = []
    for each in asked:
        created_at, started_at, finished_at = moments[each.job_id]
        parts.append(
            (
                created_at - each.sent_at,
                each.accepted_at - created_at,
                started_at - created_at,
                finished_at - started_at,
                each.answered_at - finished_at,
            )
        )
    return parts


def print_times(what: str, seconds: Sequence[float]) -> None:
    ranked = sorted(1000 * each for each in seconds)
    p50, p95, p99 = at(ranked, 0.5), at(ranked, 0.95), at(ranked, 0.99)
    print(f"{what:<72} p50 {p50:7.2f}  p95 {p95:7.2f}  p99 {p99:7.2f}  longest {ranked[-1]:7.2f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--rounds", type=int, default=1, help="how often, each with fresh processes")
    wanted = parser.parse_args()
    end_in_order_on_signal()
    medians = []
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name, Servers() as servers:
        product = Product(servers, Path(name))
        for _ in range(wanted.rounds):
            product.empty()
            medians.append(measure(product, wanted.jobs))
    median = statistics.median(medians)
    if wanted.jobs < JOBS:
        print(f"not judged: the bar is for {JOBS:,} jobs")
        return 0
    is_met = median < BAR_MILLISECONDS
    print(f"p50 {median:.2f} ms (bar: under {BAR_MILLISECONDS:g} ms): {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


def measure(product: Product, jobs: int) -> float:
    """The median in milliseconds."""
    bodies = product.bodies_file.read_bytes().splitlines()
    with product.running() as running, Exchange(running.port) as exchange:
        asked = [ask(exchange, bodies[number % len(bodies)]) for number in range(jobs)]
        parts = parts_of(running, asked)
    whole = [each.answered_at - each.sent_at for each in asked]
    print_times("POST sent -> answer with the result received", whole)
    for number, what in enumerate(_PARTS):
        print_times(f"  {what}", [part[number] for part in parts])
    return 1000 * statistics.median(whole)


if __name__ == "__main__":
    sys.exit(main())
