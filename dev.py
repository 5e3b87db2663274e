#!/usr/bin/env python3
"""The project's commands, with the standard library alone, the same on Linux, macOS and Windows.

Each command first brings the environment up to date (dev_environment.py). ``make X`` is ``python3 dev.py X``.
"""

from __future__ import annotations  # so that an older Python reaches the sentence in main()

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dev_environment import (
    PROFILES,
    ROOT,
    VENV,
    Failed,
    ensure_environment,
    program,
    remove,
    run_quietly,
    step,
    stop,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev_environment import Command

PYTHON_OLDEST = (3, 11)

HELP = """usage: python dev.py COMMAND [arguments]

The commands of this project. The first one that needs it makes the environment .venv.

{commands}

Arguments go to the program behind the command:

  python dev.py demo --full
  python dev.py test tests/unit -k signature
  make test ARGS="-k signature"

A mirror of the package index is named to pip by PIP_INDEX_URL and to uv by UV_DEFAULT_INDEX."""


def run(command: Command) -> int:
    """The exit code of a command that owns the terminal; it never outlives this process."""
    with subprocess.Popen(command, cwd=ROOT, env=variables()) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            stop(process, already_told=True)  # a terminal sends Ctrl-C to both
            raise
        except SystemExit:
            stop(process, already_told=False)
            raise


def demo(arguments: list[str]) -> int:
    """serve a model of real flights, replay the traffic, report (--full: a year)"""
    ensure_environment("demo")
    return run([program("mlp"), "demo", "flights", *arguments])


def test(arguments: list[str]) -> int:
    """run the tests; arguments go to pytest"""
    ensure_environment("dev")
    return run([program("python"), "-m", "pytest", *arguments])


def stack_test(arguments: list[str]) -> int:
    """build and start the Compose stack, break it, back it up, upgrade it; arguments go to pytest"""
    ensure_environment("dev")
    selected = arguments or ["tests/stack", "--exitfirst", "-s"]
    os.environ["MLP_STACK_TEST"] = "1"
    with docker_engine():
        return run([program("python"), "-m", "pytest", "-p", "no:cacheprovider", *selected])


@contextmanager
def docker_engine() -> Iterator[None]:
    """A Docker engine that answers, and the public images that the stack names; one that was started here is stopped.

    Where no container registry can be reached, a folder of stand-ins beside the project brings both: STAND_INS, by
    default ../shared/stand-ins, with the programs `engine` and `images`.
    """
    stand_ins = Path(os.environ.get("STAND_INS", ROOT.parent / "shared" / "stand-ins"))
    is_running = shutil.which("docker") is not None and run_quietly(["docker", "info"])[0] == 0
    if not (stand_ins / "engine").exists():
        if not is_running:
            raise Failed("no Docker engine answers: start Docker, or name a folder of stand-ins by STAND_INS")
        yield
        return
    step("Docker engine", [stand_ins / "engine"], "see the output above")
    try:
        files = ["docker-compose.yaml", "Dockerfile.api", "Dockerfile.worker"]
        step("public images", [stand_ins / "images", *files], "see the output above")
        yield
    finally:
        if not is_running:
            step("Docker engine stopped", [stand_ins / "engine", "stop"], "see the output above")


def faults(arguments: list[str]) -> int:
    """kill, freeze, cut off and starve the stack while jobs flow; check what it promises (--short: once)"""
    ensure_environment("dev")
    return run([program("python"), "-m", "tests.faults", *arguments])


def check(arguments: list[str]) -> int:
    """style, types on three systems, import rules, architecture"""
    if arguments:
        raise Failed("check takes no arguments", 2)
    ensure_environment("dev")
    mypy: Command = [program("mypy"), "--no-error-summary"]
    checks: dict[str, Command] = {
        "ruff check": [program("ruff"), "check", "--quiet"],
        "hadolint": [program("hadolint"), "Dockerfile.api", "Dockerfile.worker"],
        "ruff format": [program("ruff"), "format", "--check", "--quiet"],
        "import rules": [program("lint-imports"), "--no-cache"],
        "architecture": [program("python"), "-m", "pytest", "-q", "tests/architecture"],
    }
    for platform in ("linux", "win32", "darwin"):
        # A cache for each platform: mypy throws its cache away when the platform changes.
        checks[f"mypy {platform}"] = [*mypy, "--platform", platform, "--cache-dir", f".mypy_cache/{platform}"]
    failed = [name for name, command in checks.items() if not passes(name, command)]
    if failed:
        raise Failed(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")
    return 0


def passes(name: str, command: Command) -> bool:
    print(f"{name:<16}", end="", flush=True)
    started = time.monotonic()
    exit_code, output = run_quietly(command)
    verdict = "ok" if exit_code == 0 else f"failed with exit code {exit_code}"
    print(f"{time.monotonic() - started:6.1f} s  {verdict}", flush=True)
    if exit_code != 0:
        print(output, flush=True)
    return exit_code == 0


def docs(arguments: list[str]) -> int:
    """build the documentation into docs/build/html; a warning is an error"""
    ensure_environment("dev")
    exit_code = run([program("python"), ROOT / "docs" / "generate.py"])  # what the pages say of the code
    if exit_code != 0:
        return exit_code
    pages = ROOT / "docs" / "build" / "html"
    strict = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "--quiet"]
    exit_code = run([program("python"), *strict, *arguments, ROOT / "docs" / "source", pages])
    if exit_code == 0:
        print(f"open {pages / 'index.html'}")
    return exit_code


def setup(arguments: list[str]) -> int:
    """make the environment and do nothing else (setup demo: the demo's, smaller)"""
    profile = arguments[0] if arguments else "dev"
    if len(arguments) > 1 or profile not in PROFILES:
        raise Failed(f"setup takes one of {', '.join(PROFILES)}, not {' '.join(arguments)}", 2)
    if not ensure_environment(profile):
        print(".venv is up to date")
    return 0


def bench(arguments: list[str]) -> int:
    """measure: `bench NAME` runs bench/NAME.py, `bench` lists the names"""
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if path.stem != "__init__")
    if not arguments:
        print("\n".join(names))
        return 0
    if arguments[0] not in names:
        raise Failed(f"there is no bench/{arguments[0]}.py; there are {', '.join(names)}", 2)
    ensure_environment("dev")
    return run([program("python"), "-m", f"bench.{arguments[0]}", *arguments[1:]])


def lock(arguments: list[str]) -> int:
    """write requirements/*.txt anew from pyproject.toml (--upgrade: newest versions)"""
    ensure_environment("dev")
    form = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate"]
    form += ["--quiet", "--custom-compile-command", "python dev.py lock", *arguments]
    # Each file is held to the versions of a larger one, so that a demo environment grows into a development one.
    held = ["--constraints", "requirements/dev.txt"]
    sources = {
        "dev": ["pyproject.toml", "--all-extras", *(f"--group={name}" for name in ("test", "check", "docs", "build"))],
        "demo": ["pyproject.toml", "--extra=demo", "--group=build", *held],
        "base": ["pyproject.toml", *held],
        "stack": ["pyproject.toml", "--extra=stack", *held],
        # What the images add for each runtime that they are built with.
        **{f"runtime-{name}": ["pyproject.toml", f"--extra={name}", *held] for name in ("sklearn", "lightgbm", "onnx")},
        "build": ["--group=build", *held],
        "uv": ["--group=uv"],
    }
    for name, source in sources.items():
        written = f"requirements/{name}.txt"
        command: Command = [program("uv"), "pip", "compile", *source, *form, "-o", written]
        step(written, command, "no version fits, or the package index is not reached")
    return 0


def clean(arguments: list[str]) -> int:
    """remove caches and what was built (--all: also .venv); data folders stay"""
    if arguments not in ([], ["--all"]):
        raise Failed(f"clean takes --all or nothing, not {' '.join(arguments)}", 2)
    caches = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache")
    doomed = [ROOT / name for name in (*caches, "dist", "docs/build", "__pycache__")]
    doomed += [path for part in ("src", "tests", "bench", "docs") for path in (ROOT / part).rglob("__pycache__")]
    if arguments:
        doomed.append(VENV)
    for path in doomed:
        if path.exists():
            remove(path)
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    command.__name__.replace("_", "-"): command
    for command in (demo, test, stack_test, faults, check, docs, setup, bench, lock, clean)
}


def end_on_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """The exit code of the command that the arguments name."""
    if sys.version_info < PYTHON_OLDEST:
        print("dev.py: Python 3.11 or later is needed; name one with `make PYTHON=python3.12 test`", file=sys.stderr)
        return 2
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(HELP.format(commands="\n".join(f"  {name:<11}{each.__doc__}" for name, each in COMMANDS.items())))
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        print(f'dev.py: there is no command "{name}"; there are {", ".join(COMMANDS)}', file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, end_on_signal)
    # A script that runs this in its background has Ctrl-C ignored here and in all below, who are stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        exit_code = COMMANDS[name](arguments[1:])
    except Failed as failure:
        print(f"dev.py {name}: {failure}", file=sys.stderr)
        return failure.exit_code
    except OSError as error:
        print(f"dev.py {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ndev.py {name}: interrupted", file=sys.stderr)
        return 130
    if exit_code != 0:
        print(f"dev.py {name}: ended with exit code {exit_code}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
