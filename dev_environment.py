"""The environment ``.venv`` that dev.py's commands run in: made from the hashed files in ``requirements/``.

The standard library alone. What was interrupted, moved, or made by another Python is made anew; what is up to date
costs a moment.
"""

from __future__ import annotations  # so that an older Python reaches the sentence in dev.py

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Command = list[str | Path]

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements"
STAMP = VENV / "dev-setup.json"  # what is installed; says "unfinished" while an installation is under way
LOCK = VENV / "dev-setup.lock"
PROFILES = ("demo", "dev")  # each holds everything of the one before it
STOP_SECONDS = 30.0  # for a program that was asked to stop: pytest takes its servers down in that time
OUTPUT_LINES_SHOWN = 40  # of a step that failed


class Failed(Exception):
    """A command that cannot go on: one sentence for the user, and the exit code."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def program(name: str) -> Path:
    """Where the environment keeps a program."""
    return VENV / "Scripts" / f"{name}.exe" if sys.platform == "win32" else VENV / "bin" / name


def digest_of(profile: str) -> str:
    """One text that changes whenever what is installed for the profile should."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [json.dumps([project["project"], project["build-system"], project["tool"]["hatch"]], sort_keys=True)]
    parts += [(REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8") for name in ("uv", "build", profile)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def place() -> str:
    """The Python and the folder that an environment is tied to: moved or under another Python, it is made anew."""
    return f"{sys.implementation.cache_tag} {sys.platform} {ROOT}"


def read_stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(**stamp: str) -> None:
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")  # half written it cannot be read, which means "unfinished"


def is_usable(stamp: dict[str, Any]) -> bool:
    """Whether the environment was finished, by this Python, in this folder."""
    return stamp.get("state") == "ready" and stamp.get("place") == place() and program("python").exists()


def holds(stamp: dict[str, Any], profile: str) -> bool:
    """Whether the environment is ready for the profile, or for one that holds more."""
    installed = stamp.get("profile")
    if not is_usable(stamp) or installed not in PROFILES or PROFILES.index(installed) < PROFILES.index(profile):
        return False
    return bool(stamp.get("digest") == digest_of(installed))


def ensure_environment(profile: str) -> bool:
    """Makes ``.venv`` hold the profile exactly as locked; True if there was something to do."""
    if holds(read_stamp(), profile):
        return False
    if (VENV / "pyvenv.cfg").exists() and not STAMP.exists():
        raise Failed(".venv was not made by dev.py: move it away, or remove it with `python dev.py clean --all`")
    with one_setup_at_a_time():
        stamp = read_stamp()
        if holds(stamp, profile):
            return False
        if is_usable(stamp):
            profile = max(profile, stamp.get("profile", profile), key=PROFILES.index)
        install(profile, anew=not is_usable(stamp))
    return True


def install(profile: str, *, anew: bool) -> None:
    print(f"setting up .venv for {profile} with Python {sys.version.split()[0]}", flush=True)
    write_stamp(state="unfinished", place=place())
    if anew:
        make_empty_environment()
    by_pip: Command = [program("python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    step("uv", [*by_pip, "--require-hashes", "-r", REQUIREMENTS / "uv.txt"], "is the package index reached?")

    locked = REQUIREMENTS / f"{profile}.txt"
    what = f"about {locked.read_text(encoding='utf-8').count('==')} packages of requirements/{profile}.txt"
    # Without bytecode the first start of each program would compile scikit-learn for seconds.
    by_uv: Command = ["--quiet", "--compile-bytecode", "--python", program("python")]
    # Sources are built with the build tools of build.txt: uv checks their hashes too.
    checked: Command = ["--require-hashes", "--build-constraints", REQUIREMENTS / "build.txt"]
    sync: Command = [program("uv"), "pip", "sync", *by_uv, *checked, locked]
    step(what, sync, "is the package index reached, and is there room on the disk?")

    project: Command = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    step("this project", [program("uv"), "pip", "install", *by_uv, *project], "is pyproject.toml at fault?")
    write_stamp(state="ready", place=place(), profile=profile, digest=digest_of(profile))


def make_empty_environment() -> None:
    for entry in VENV.iterdir():
        if entry not in (STAMP, LOCK):
            remove(entry)
    base_python = getattr(sys, "_base_executable", sys.executable)  # sys.executable may lie in .venv itself
    advice = "on Debian and Ubuntu the venv module comes with `apt-get install python3-venv`"
    step("an empty environment", [base_python, "-m", "venv", VENV], advice)


@contextlib.contextmanager
def one_setup_at_a_time() -> Iterator[None]:
    """Waits while another dev.py, or what a killed one left running, sets up the same ``.venv``.

    The system lets go of the lock when the last process that holds it ends.
    """
    VENV.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        is_waiting = False
        while not try_lock(lock.fileno()):
            if not is_waiting:
                print("waiting for another dev.py that sets up .venv", flush=True)
            is_waiting = True
            time.sleep(0.2)
        os.set_inheritable(lock.fileno(), True)
        yield


def try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def step(what: str, command: Command, advice: str) -> None:
    """Runs one step of the set-up, which prints one line; its output is shown only if it fails."""
    print(f"  {what:<44}", end="", flush=True)
    started = time.monotonic()
    exit_code, output = run_quietly(command)
    print(f"{time.monotonic() - started:6.1f} s" if exit_code == 0 else "failed", flush=True)
    if exit_code != 0:
        print("\n".join(output.splitlines()[-OUTPUT_LINES_SHOWN:]), file=sys.stderr)
        raise Failed(f"{what} ended with exit code {exit_code}: {advice}", exit_code)


def run_quietly(command: Command) -> tuple[int, str]:
    """The exit code and the output of a command, with the seconds ticking on a terminal meanwhile."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        # close_fds=False hands the lock of the set-up down: a child that outlives a killed dev.py still holds it.
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            close_fds=False,
        ) as process:
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(1.0)
                    if sys.stdout.isatty():
                        print(f"{time.monotonic() - started:6.1f} s" + "\b" * 8, end="", flush=True)
            except BaseException:
                stop(process, already_told=False)
                raise
        output.seek(0)
        return process.returncode, output.read().decode(errors="replace").strip()


def variables() -> dict[str, str]:
    """The variables for a program: Pythons may write bytecode, or each of many starts would compile everything."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def stop(process: subprocess.Popen[bytes], *, already_told: bool) -> None:
    """Waits until the process has ended; asks it to, like Ctrl-C does, if nobody has; kills it after STOP_SECONDS."""
    if not already_told:
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
