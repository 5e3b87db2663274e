"""Jobs per second from the first submit to the last readable result, beside Celery's empty task, in turns in one run.

Ours: one job a POST over 64 connections, PostgreSQL with fsync on, a real scikit-learn prediction, `mlp serve` with one
process and `mlp worker` with two. Celery's: an empty task with default settings, two processes, results in Redis; of
one and two submitting processes the quicker number. The side that is not measured does not run. Ends with exit code 1
if the ratio of the medians is below the bar; a smaller run than 20,000 jobs and 5 rounds is not judged.
"""

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.jobs.competitor import CeleryRound, Competitor
from bench.jobs.ending import end_in_order_on_signal
from bench.jobs.intervals import ratio_interval
from bench.jobs.load import LoadProcess, Order, Report
from bench.jobs.product import SUBMIT_PATH, Product
from bench.jobs.servers import Servers
from bench.jobs.usage import CPUMeter, CPUUse, tree_cpu_seconds

JOBS = 20_000
ROUNDS = 5
CONNECTIONS = 64
BAR_RATIO = 1.5
AIM_RATIO = 2.0
READ_BACK = 200
#: Jobs of the rounds that find out how many submitting processes Celery is quickest with.
TRIAL_TASKS = 4_000
_ROUND_SECONDS = 600.0


@dataclass(frozen=True)
class OurRound:
    """What came of one round; ``seconds`` from the first POST to the moment when the last result could be read."""

    seconds: float
    report: Report
    cpu: CPUUse


def measure_ours(product: Product, jobs: int) -> OurRound:
    product.empty()
    with product.running() as running:
        order = Order(running.port, SUBMIT_PATH, CONNECTIONS, str(product.bodies_file), jobs=jobs, kept=READ_BACK)
        with LoadProcess(order) as client:
            meter = CPUMeter({"client": lambda: tree_cpu_seconds(client.pid), **running.cpu_kinds()})
            meter.start()
            report = client.run()
            ended_at = running.wait_idle(_ROUND_SECONDS)
            cpu = meter.stop()
        running.check_results(report.accepted, report.kept)
    return OurRound(ended_at - report.began_at, report, cpu)


def quickest_publishers(competitor: Competitor, tasks: int) -> int:
    """With how many submitting processes Celery is quickest."""
    trials = {publishers: competitor.measure(tasks, publishers).seconds for publishers in (1, 2)}
    for publishers, seconds in trials.items():
        print(f"Celery with {publishers} submitting process(es), {tasks} tasks: {tasks / seconds:,.0f}/s")
    return min(trials, key=lambda publishers: trials[publishers])


def print_ours(number: int, ours: OurRound, jobs: int) -> None:
    report = ours.report
    client_share = report.cpu_seconds / report.seconds
    refused = {status: count for status, count in report.statuses.items() if status != "202"}
    print(
        f"round {number}, ours:   {jobs / ours.seconds:8,.0f} jobs/s in {ours.seconds:.2f} s; the last 202 after "
        f"{report.seconds:.2f} s; client busy {client_share:.0%} of one core"
        + (f"; other answers {refused}" if refused else ""),
        flush=True,
    )


def print_celery(number: int, theirs: CeleryRound, jobs: int) -> None:
    print(
        f"round {number}, Celery: {jobs / theirs.seconds:8,.0f} jobs/s in {theirs.seconds:.2f} s; the last submit "
        f"after {theirs.submit_seconds:.2f} s",
        flush=True,
    )


def print_cpu(what: str, cpu: CPUUse, jobs: int) -> None:
    cores = os.cpu_count()
    print(f"CPU seconds per 1,000 jobs, {what}, last round; the machine was busy")
    print(f"with {cpu.busy_cores:.2f} of its {cores} cores, everything included:")
    print("\n".join(cpu.lines(jobs)))


def judge(ours: list[OurRound], theirs: list[CeleryRound], jobs: int) -> int:
    """The exit code."""
    our_rates = [jobs / each.seconds for each in ours]
    their_rates = [jobs / each.seconds for each in theirs]
    ratio, low, high = ratio_interval(our_rates, their_rates)
    for what, rates in (("ours", our_rates), ("Celery", their_rates)):
        print(f"{what}: median {statistics.median(rates):,.0f} jobs/s, {min(rates):,.0f} to {max(rates):,.0f}")
    print(f"ratio of the medians: {ratio:.2f}, 95 % interval {low:.2f} to {high:.2f}")
    if jobs < JOBS or len(ours) < ROUNDS:
        print(f"not judged: the bar is for {JOBS:,} jobs and {ROUNDS} rounds")
        return 0
    print(f"bar: at least {BAR_RATIO}: {'met' if ratio >= BAR_RATIO else 'MISSED'}; aimed at: {AIM_RATIO}")
    return 0 if ratio >= BAR_RATIO else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS, help="jobs of each side in each round")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each side")
    parser.add_argument("--publishers", type=int, help="submitting processes of Celery; else the quicker of 1 and 2")
    parser.add_argument("--only", choices=("ours", "celery"), help="one side alone, to look at it")
    wanted = parser.parse_args()
    end_in_order_on_signal()
    ours: list[OurRound] = []
    theirs: list[CeleryRound] = []
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name, Servers() as servers:
        product = Product(servers, Path(name))
        competitor = Competitor(servers, Path(name))
        publishers = wanted.publishers
        for number in range(1, wanted.rounds + 1):
            if wanted.only != "celery":
                ours.append(measure_ours(product, wanted.jobs))
                print_ours(number, ours[-1], wanted.jobs)
            if wanted.only != "ours":
                servers.postgres.stop()
                publishers = publishers or quickest_publishers(competitor, min(TRIAL_TASKS, wanted.jobs))
                theirs.append(competitor.measure(wanted.jobs, publishers))
                print_celery(number, theirs[-1], wanted.jobs)
                servers.postgres.start()
    if ours:
        print_cpu("ours", ours[-1].cpu, wanted.jobs)
    if theirs:
        print_cpu("Celery", theirs[-1].cpu, wanted.jobs)
    return judge(ours, theirs, wanted.jobs) if ours and theirs else 0


if __name__ == "__main__":
    sys.exit(main())
