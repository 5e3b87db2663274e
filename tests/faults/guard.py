"""Runs one server for the harness and obeys its orders; gone when its standard input closes, whatever happened.

Beyond the guards of the tests: PostgreSQL can be killed, frozen and robbed of its disk, RabbitMQ loses its data or
is told something by its own control program. Each line read is a JSON list, an order and its arguments; the answer
is one line, "done" or what the order found out.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from pathlib import Path

from tests.faults.processes import CONTINUE, KILL, STOP, descendants_of, send, wait_gone
from tests.postgres_guard import Cluster, find_programs, unprivileged
from tests.server_guard import PROGRAMS, Program, Server, rabbitmq_program

_CONTROL_SECONDS = 60
#: How the answer to an order begins that the control program did not obey.
FAILED = "failed:"
_GONE_SECONDS = 30.0
_BALLAST = "ballast"
_BLOCK_BYTES = 2**20
_LINES = ("max_connections = 200", "max_wal_size = 96MB", "min_wal_size = 32MB")

Order = Callable[..., str | None]


class Postgres(Cluster):
    """A cluster that can be taken down in every way.

    Args:
        disk_mebibytes: Size of a file system of its own, in memory, which only root may mount; 0: the folder's.
    """

    def __init__(self, folder: Path, programs: Path, disk_mebibytes: int) -> None:
        super().__init__(folder, programs)
        self._is_mounted = disk_mebibytes > 0
        self._place = folder
        if self._is_mounted:
            options = f"size={disk_mebibytes}m,mode=755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "mlp-faults", str(folder)], check=True, timeout=30)

    def create(self) -> None:
        with Path(os.devnull).open("w", encoding="utf-8") as silence, redirect_stderr(silence):
            super().create()
        with (self._place / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n".join(("", *_LINES, "")))

    def kill(self) -> None:
        """Every process at once, as a power cut."""
        pids = self._pids()
        send(pids, KILL)
        wait_gone(pids, _GONE_SECONDS)

    def kill_main(self) -> None:
        """The postmaster alone; its processes find that out and end by themselves."""
        pids = self._pids()
        send(pids[:1], KILL)
        wait_gone(pids, _GONE_SECONDS)

    def immediate(self) -> None:
        """An immediate shutdown: nothing is written, and the next start recovers."""
        self._run("pg_ctl", "stop", "--wait", self._data, "--mode=immediate")

    def pause(self) -> None:
        """Every process; whoever connects is not answered."""
        send(self._pids(), STOP)
        send(self._pids(), STOP)  # those that were born meanwhile

    def go_on(self) -> None:
        """After a pause."""
        send(self._pids(), CONTINUE)

    def fill_disk(self) -> None:
        """Leave no byte free."""
        with suppress(OSError), (self._place / _BALLAST).open("wb", buffering=0) as file:
            if sys.platform == "linux":
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self._place).free)
        with suppress(OSError), (self._place / _BALLAST).open("ab", buffering=0) as file:
            while True:
                file.write(b"\0" * _BLOCK_BYTES)

    def free_disk(self) -> None:
        """Give the space back."""
        (self._place / _BALLAST).unlink(missing_ok=True)

    def ensure(self) -> None:
        """Start it unless it runs, as a container that ended is started again."""
        if not self._pids():
            self.start()

    def start(self) -> None:
        # A killed postmaster that nobody has reaped yet would count as running.
        if not self._pids():
            (self._place / "data" / "postmaster.pid").unlink(missing_ok=True)
        super().start()

    def stop(self) -> None:
        if self._pids():
            super().stop()

    def close(self) -> None:
        """Down for good."""
        self.go_on()
        self.free_disk()
        with suppress(subprocess.SubprocessError):
            self.immediate()
        self.kill()
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", str(self._place)], check=False, timeout=30)

    def _run(self, program: str, *arguments: str) -> None:
        super()._run(program, *arguments, *(["--silent"] if program == "pg_ctl" else []))

    def _pids(self) -> list[int]:
        """The postmaster first; empty where it does not run."""
        try:
            main = int((self._place / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return []
        with suppress(OSError):
            if b"postgres" in Path(f"/proc/{main}/cmdline").read_bytes():
                return [main, *descendants_of(main)]
        return []


class Broker(Server):
    """RabbitMQ, which can lose its data and be asked by ``rabbitmqctl``."""

    def __init__(self, folder: Path) -> None:
        self._program: Program | None = None
        super().__init__(folder, self._remembered)

    def _remembered(self, folder: Path, port: int) -> Program:
        """The same ports at every start: the control program must find it."""
        if self._program is None or f"mlp{port}@" not in self._program.environment["RABBITMQ_NODENAME"]:
            self._program = rabbitmq_program(folder, port)
        return self._program

    def wipe(self) -> None:
        """Killed and robbed of its data; start() begins with nothing."""
        self.kill()
        shutil.rmtree(self._folder / "mnesia", ignore_errors=True)

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says."""
        assert self._program is not None
        program = Path(self._program.command[0]).with_name("rabbitmqctl")
        user, group = unprivileged_as("rabbitmq")
        done = subprocess.run(
            [str(program), "--quiet", *arguments],
            cwd=self._folder,
            env={**os.environ, **self._program.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            timeout=_CONTROL_SECONDS,
            check=False,
        )
        text = (done.stdout + done.stderr).decode(errors="replace").replace("\n", " ").strip()
        if done.returncode != 0:
            return f"{FAILED} {text}"
        return text or "done"


def unprivileged_as(name: str) -> tuple[int | None, int | None]:
    """The account's user and group where this process is root's; None: our own."""
    if sys.platform != "win32" and os.geteuid() == 0:
        import pwd

        try:
            account = pwd.getpwnam(name)
        except KeyError:
            account = pwd.getpwnam("nobody")
        return account.pw_uid, account.pw_gid
    return None, None


def _guarded(kind: str, folder: Path, arguments: list[str]) -> tuple[dict[str, Order], Callable[[], int]]:
    """The orders of a server that has been started, and where it listens."""
    if kind == "postgres":
        programs = find_programs()
        assert programs is not None, "PostgreSQL's server programs are not on this machine"
        cluster = Postgres(folder, programs, int(arguments[0]))
        user, group = unprivileged()
        if sys.platform != "win32" and user is not None and group is not None:
            os.chown(folder, user, group)
        try:
            cluster.create()
            cluster.start_on_free_port()
        except BaseException:
            cluster.close()
            raise
        names = ("start", "stop", "kill", "kill_main", "immediate", "pause", "go_on", "fill_disk", "free_disk")
        orders: dict[str, Order] = {name: getattr(cluster, name) for name in (*names, "ensure", "close")}
        return orders, lambda: cluster.port
    server = Broker(folder) if kind == "rabbitmq" else Server(folder, PROGRAMS[kind])
    try:
        server.start_on_free_port()
    except BaseException:
        server.kill()
        raise
    orders = {name: getattr(server, name) for name in ("start", "stop", "kill", "pause", "go_on")}
    if isinstance(server, Broker):
        orders |= {"wipe": server.wipe, "control": server.control}

    # SIGKILL ends a paused process too.
    return {**orders, "close": server.kill}, lambda: server.port


def guard(kind: str, *arguments: str) -> None:
    """Runs a server until the standard input closes."""
    folder = Path(tempfile.mkdtemp(prefix=f"mlp-faults-{kind}-"))
    close: Order | None = None
    try:
        orders, port = _guarded(kind, folder, list(arguments))
        close = orders["close"]
        print(port(), flush=True)
        for line in sys.stdin:
            name, *values = json.loads(line)
            print(orders[name](*values) or "done", flush=True)
    finally:
        if close is not None:
            close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(*sys.argv[1:])
