"""``python -m tests.faults``: causes faults in a stack of real processes, and says whether a promise was broken."""

import argparse
import csv
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import msgspec

from tests.faults.cluster import ClusterPlan
from tests.faults.nemesis import KINDS
from tests.faults.run import EXECUTIONS, HISTORY, RunPlan, RunReport, run

#: What continuous integration runs: one of each sort.
SHORT = (
    "kill-worker",
    "kill-worker-child",
    "pause-worker",
    "kill-api",
    "kill-rabbitmq",
    "kill-redis",
    "kill-postgres",
    "mute-api-postgres",
    "partition-worker-postgres",
    "rabbitmq-queues-deleted",
    "crash-worker-after_result_commit",
    "kill-everything",
)
_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
_BROKEN_SHOWN = 40


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the schedule, of every choice in it, and of the jobs")
    parser.add_argument("--faults", default="", help="kinds, separated by commas; a * at the end stands for any rest")
    parser.add_argument("--all", action="store_true", help="every kind")
    parser.add_argument("--short", action="store_true", help="twelve kinds, once: what continuous integration runs")
    parser.add_argument("--list", action="store_true", help="print the kinds and end")
    parser.add_argument("--rounds", type=int, default=1, help="how often each kind; 0: until --seconds are over")
    parser.add_argument("--seconds", type=float, default=0, help="begin no fault after so long; 0: no limit")
    parser.add_argument("--report", type=Path, default=None, help="folder for history, report and logs")
    parser.add_argument("--queue-type", choices=["classic", "quorum"], default="classic")
    parser.add_argument("--lease-seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=60.0, help="jobs submitted per second")
    return parser.parse_args(arguments)


def chosen_kinds(options: argparse.Namespace) -> list[str]:
    """The kinds that the command line names and this machine can cause; says which it cannot."""
    if options.short:
        names = list(SHORT)
    elif options.faults:
        names = [name for pattern in options.faults.split(",") for name in _matching(pattern.strip())]
    else:
        names = list(KINDS)
    able = []
    for name in dict.fromkeys(names):
        lacking = _lacking(KINDS[name].needs)
        if lacking:
            print(f"LEFT OUT: {name} needs {lacking}", flush=True)
        else:
            able.append(name)
    return able


def _matching(pattern: str) -> list[str]:
    found = [name for name in KINDS if name == pattern or (pattern[-1:] == "*" and name.startswith(pattern[:-1]))]
    if not found:
        sys.exit(f"there is no kind of fault {pattern!r}; --list prints them")
    return found


def _lacking(needs: str) -> str:
    if needs == "root" and (sys.platform == "win32" or os.geteuid() != 0):
        return "root, to mount a small file system"
    if needs == "faketime" and not faketime().is_file():
        return "libfaketime (apt-get install libfaketime, or name the library by MLP_TEST_FAKETIME)"
    return ""


def faketime() -> Path:
    """Where libfaketime's library is, if it is there."""
    return Path(os.environ.get("MLP_TEST_FAKETIME", _FAKETIME))


def main(arguments: list[str]) -> int:
    """The exit code: 0 when no promise was broken."""
    options = parse(arguments)
    if options.list:
        print("\n".join(KINDS))
        return 0
    kinds = chosen_kinds(options)
    needs = {KINDS[name].needs for name in kinds}
    folder = options.report or Path("/tmp") / f"mlp-fault-report-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (HISTORY, EXECUTIONS):
        (folder / name).unlink(missing_ok=True)  # of an earlier run, whose jobs would be missed in this one
    plan = RunPlan(
        seed=options.seed,
        kinds=tuple(kinds),
        rounds=options.rounds,
        seconds=options.seconds,
        jobs_per_second=options.rate,
        cluster=ClusterPlan(
            queue_type=options.queue_type,
            lease_seconds=options.lease_seconds,
            has_small_disk="root" in needs,
            faketime=faketime() if "faketime" in needs else None,
        ),
    )
    report = run(plan, folder, lambda line: print(line, flush=True))
    write_report(report, folder)
    print_report(report, folder)
    return 1 if report.verdict.broken else 0


def write_report(report: RunReport, folder: Path) -> None:
    """faults.csv, and report.json with everything but the history."""
    faults = [msgspec.to_builtins(fault) for fault in report.nemesis.faults]
    with (folder / "faults.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["seed", *faults[0]] if faults else ["seed"])
        writer.writeheader()
        writer.writerows({"seed": report.plan.seed, **fault} for fault in faults)
    document = {
        "seed": report.plan.seed,
        "seconds": round(report.seconds, 1),
        "plan": asdict(report.plan),
        "counts": report.verdict.counts,
        "broken": [asdict(each) for each in report.verdict.broken],
        "faults": faults,
        "exits": report.exits,
    }
    (folder / "report.json").write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")


def print_report(report: RunReport, folder: Path) -> None:
    """A table for people."""
    faults = report.nemesis.faults
    print(f"\nseed {report.plan.seed}, {report.seconds:.0f} s, report in {folder}")
    for name, count in report.verdict.counts.items():
        print(f"  {name:<34}{count:>9}")
    if faults:
        probes = sorted(fault.probe_seconds for fault in faults)
        print(f"  probe, median and longest         {probes[len(probes) // 2]:6.2f} s {probes[-1]:6.2f} s")
    if not report.verdict.broken:
        print("no promise was broken")
        return
    print(f"BROKEN: {len(report.verdict.broken)}")
    for broken in report.verdict.broken[:_BROKEN_SHOWN]:
        print(f"  {broken.promise}: {broken.job}: {broken.evidence[:300]}")


def _end_on_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end_on_signal)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
