"""Jobs that are accepted per second while the workers run: one job a POST over 64 connections, for 30 seconds.

Says how long a POST takes, how deep the queue is at the end, and what each kind of process took of the CPU, from which
one sees what limits. Nothing is judged; 3,000/s is aimed at.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench.jobs.ending import end_in_order_on_signal
from bench.jobs.load import LoadProcess, Order, Report
from bench.jobs.product import SUBMIT_PATH, Product
from bench.jobs.servers import Servers
from bench.jobs.usage import CPUMeter, CPUUse, tree_cpu_seconds

SECONDS = 30.0
CONNECTIONS = 64
AIM_PER_SECOND = 3_000


def print_report(report: Report, cpu: CPUUse) -> None:
    p50, p90, p99, longest = (1000 * seconds for seconds in report.latencies_seconds)
    refused = {status: count for status, count in report.statuses.items() if status != "202"}
    print(
        f"accepted: {report.accepted:,} jobs in {report.seconds:.2f} s: {report.accepted / report.seconds:,.0f}/s "
        f"(aimed at: {AIM_PER_SECOND:,}/s); other answers: {refused or 'none'}"
    )
    print(f"a POST until its 202: p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms, longest {longest:.1f} ms")
    print(f"client busy {report.cpu_seconds / report.seconds:.0%} of one core")
    cores = f"{cpu.busy_cores:.2f} of {os.cpu_count()} cores"
    print(f"CPU seconds per 1,000 accepted jobs; the machine was busy with {cores}:")
    print("\n".join(cpu.lines(report.accepted)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long jobs are sent")
    parser.add_argument("--jobs", type=int, help="so many jobs instead of a time, for a look")
    parser.add_argument("--rounds", type=int, default=1, help="how often, each from an empty database")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    wanted = parser.parse_args()
    end_in_order_on_signal()
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name, Servers() as servers:
        product = Product(servers, Path(name))
        for _ in range(wanted.rounds):
            product.empty()
            measure(product, wanted)
    return 0


def measure(product: Product, wanted: argparse.Namespace) -> None:
    with product.running() as running:
        order = Order(
            running.port,
            SUBMIT_PATH,
            wanted.connections,
            str(product.bodies_file),
            jobs=wanted.jobs,
            seconds=None if wanted.jobs else wanted.seconds,
        )
        with LoadProcess(order) as client:
            meter = CPUMeter({"client": lambda: tree_cpu_seconds(client.pid), **running.cpu_kinds()})
            meter.start()
            report = client.run()
            cpu = meter.stop()
        print(f"the queue at the end: {running.queue_state()}")
        print_report(report, cpu)


if __name__ == "__main__":
    sys.exit(main())
