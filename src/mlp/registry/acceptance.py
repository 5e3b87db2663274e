"""The acceptance run: a child process of this Python loads a version and predicts its example before it is taken.

What the model's code does there (raise, hang, exit, crash, print, start processes) becomes one clear error here.
``python -m mlp.registry.acceptance FOLDER`` is that child, and also shows its report when called by hand.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlp.clock import now
from mlp.errors import AcceptanceFailed, MLPError, UnknownRuntime, VersionRefused, all_error_classes
from mlp.registry.child import Ended, Ending, run_child
from mlp.registry.processes import Process, adopt_orphans, descendants
from mlp.registry.trial import AcceptanceReport, run_trial
from mlp.runtimes.source import explained

__all__ = ["AcceptanceLimits", "AcceptanceReport", "run_acceptance"]

_SHOWN_LINES = 5
_SHOWN_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class AcceptanceLimits:
    """What the child process may take.

    Attributes:
        timeout_seconds: From its start to its end.
        memory_bytes: Memory it may allocate, enforced where the system can (not on Windows); 0: no limit.
        output_bytes_max: What it may print; a model that prints more would fill the server's logs.
    """

    timeout_seconds: float = 120.0
    memory_bytes: int = 0
    output_bytes_max: int = 16 * 2**20


def run_acceptance(
    folder: Path, limits: AcceptanceLimits | None = None, *, allow_mismatch: bool = False, threads: int = 1
) -> AcceptanceReport:
    """Load and predict the version in a child process; blocks until that has ended.

    Args:
        folder: The unpacked model folder; not written to.
        allow_mismatch: Accept other versions than the recorded ones where the run passes; the report names them.
        threads: Threads that a call of the model may use.

    Raises:
        BadModelFolder: The folder is not in order.
        EnvironmentMismatch: The model was made with other versions.
        MissingExtra, UnknownRuntime: This server cannot run the framework.
        AcceptanceFailed: The model's code failed in any way; the message says how and where.
    """
    limits = AcceptanceLimits() if limits is None else limits
    with tempfile.TemporaryDirectory(prefix="mlp-acceptance-") as name:
        working = Path(name)
        report = working / "report.json"
        ended = run_child(
            _arguments(folder.resolve(), report, limits, allow_mismatch=allow_mismatch, threads=threads),
            working=working,
            timeout_seconds=limits.timeout_seconds,
            output_bytes_max=limits.output_bytes_max,
            is_done=report.is_file,
            known_processes=lambda: [Process(*item) for item in _read(report).get("processes", ())],
        )
        said = _read(report)
    if "error" in said:
        raise _error_from(said["error"], limits)
    _check_ending(ended, folder.resolve(), limits, is_complete="report" in said)
    return AcceptanceReport.from_json(said["report"])


def _arguments(
    folder: Path, report: Path, limits: AcceptanceLimits, *, allow_mismatch: bool, threads: int
) -> list[str]:
    # -P: a model.py in the current folder must not be found; faulthandler: a crash tells its line.
    arguments = [sys.executable, "-P", "-X", "faulthandler", "-m", "mlp.registry.acceptance", str(folder)]
    arguments += ["--report", str(report), "--threads", str(threads), "--memory-bytes", str(limits.memory_bytes)]
    # Shortly before it is killed, the child prints where it hangs; by the clock, since its own start takes time.
    arguments += ["--traceback-at", str(now().timestamp() + 0.9 * limits.timeout_seconds)]
    return [*arguments, "--allow-mismatch"] if allow_mismatch else arguments


def _read(report: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(report.read_bytes())
    except FileNotFoundError:
        return {}
    return document


def _error_from(document: dict[str, str], limits: AcceptanceLimits) -> MLPError:
    message = document["message"]
    if limits.memory_bytes and "MemoryError" in message:
        message += f" (its memory is limited to {limits.memory_bytes / 2**20:,.0f} MiB)"
    return all_error_classes()[document["code"]](message)


def _check_ending(ended: Ended, folder: Path, limits: AcceptanceLimits, *, is_complete: bool) -> None:
    """Refuse everything but a complete report and a clean end.

    Raises:
        AcceptanceFailed: Says how the child ended, and where its code was.
    """
    where = _place(ended.output, folder)
    if ended.ending is Ending.TIMED_OUT:
        raise AcceptanceFailed(f"the model did not finish within {limits.timeout_seconds:g} s{where}")
    if ended.ending is Ending.TOO_LOUD:
        limit = limits.output_bytes_max / 2**20
        raise AcceptanceFailed(f"the model printed more than {limit:g} MiB{_shown(ended.output)}")
    if ended.ending is Ending.LINGERED:
        raise AcceptanceFailed(
            "the model predicted its example, but its process did not end: make its threads daemons, or stop them"
        )
    if ended.exit_code < 0:
        hint = ", most likely because memory ran out" if -ended.exit_code == _SIGKILL else ""
        raise AcceptanceFailed(f"the model's process was killed by {_signal_name(-ended.exit_code)}{hint}{where}")
    if not is_complete:
        raise AcceptanceFailed(
            f"the model's code ended its process with exit code {ended.exit_code}{_shown(ended.output)}"
        )
    if ended.processes_left:
        raise AcceptanceFailed(
            "the model left processes running when its own had ended, and they were ended: what it starts must end "
            "with it"
        )


_SIGKILL = 9


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _place(output: str, folder: Path) -> str:
    """Where the model's code was, from the traceback that faulthandler printed; its first line is the innermost."""
    for path, line, function in re.findall(r'File "([^"\n]+)", line (\d+) in (\S+)', output):
        if Path(path).is_relative_to(folder):
            return f": {Path(path).relative_to(folder).as_posix()} line {line}, in {function}"
    return ""


def _shown(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()][-_SHOWN_LINES:]
    return f"; it printed last: {' | '.join(lines)[-_SHOWN_CHARACTERS:]}" if lines else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The child's side: try the version out, and write a report or an error.

    Side effects: makes this process adopt orphans, and limits its memory.
    """
    parser = argparse.ArgumentParser(prog="python -m mlp.registry.acceptance")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--report", type=Path, help="where to write the report; stdout if absent")
    parser.add_argument("--allow-mismatch", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-bytes", type=int, default=0)
    parser.add_argument("--traceback-at", type=float, help="seconds since 1970; print where the code is by then")
    given = parser.parse_args(arguments)
    adopt_orphans()
    _limit_memory(given.memory_bytes)
    if given.traceback_at is not None:
        faulthandler.dump_traceback_later(max(given.traceback_at - now().timestamp(), 0.001))
    document = _outcome(given.folder.resolve(), allow_mismatch=given.allow_mismatch, threads=given.threads)
    faulthandler.cancel_dump_traceback_later()
    if given.report is None:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        _write(document, given.report)
    return 0 if "report" in document else 1


def _outcome(folder: Path, *, allow_mismatch: bool, threads: int) -> dict[str, Any]:
    try:
        report = run_trial(folder, allow_mismatch=allow_mismatch, threads=threads).to_json()
    except (VersionRefused, UnknownRuntime) as error:
        # A bare "refused" is the model's own failure to load; the others say more themselves.
        kept = AcceptanceFailed if type(error) is VersionRefused else type(error)
        return {"error": {"code": kept.code, "message": error.message}}
    except MLPError as error:
        return {"error": {"code": AcceptanceFailed.code, "message": error.message}}
    except (Exception, SystemExit) as error:
        return {"error": {"code": AcceptanceFailed.code, "message": explained(error, folder)}}
    return {"report": report, "processes": [list(process) for process in descendants(os.getpid())]}


def _write(document: dict[str, Any], report: Path) -> None:
    """Write and rename, so that the parent finds a whole report or none."""
    partial = report.with_suffix(".partial")
    partial.write_text(json.dumps(document), encoding="utf-8")
    partial.replace(report)


def _limit_memory(memory_bytes: int) -> None:
    """Limit what the process may allocate: its data segment, which is near to what it really uses."""
    if sys.platform != "win32" and memory_bytes > 0:
        import resource

        # Not every system lets it be set; without a limit the run is as good as on those that have none.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    sys.exit(main())
