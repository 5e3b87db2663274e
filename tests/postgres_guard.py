"""Runs a PostgreSQL server for the tests until its standard input closes, and takes it down whatever happened.

The tests hold the other end of that input, so even a test process that was killed leaves no server behind. The port
is printed once the server answers; then each line read, "stop" or "start", is obeyed and answered by "done".
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

_PROGRAMS = ("initdb", "postgres", "pg_ctl")
_STARTS_MAX = 5  # another process may take the free port before the server does
_COMMAND_SECONDS = 80.0


def find_programs() -> Path | None:
    """The folder with initdb, postgres and pg_ctl, the newest if there are several; None if there is none.

    ``MLP_TEST_POSTGRES`` names a folder to use instead of looking in PATH and where Debian keeps them.
    """
    named = os.environ.get("MLP_TEST_POSTGRES")
    if named is not None:
        return Path(named) if _has_programs(Path(named)) else None
    debian = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda folder: -int(folder.parent.name))
    on_path = shutil.which("initdb")
    candidates = debian if on_path is None else [*debian, Path(on_path).resolve().parent]
    return next((folder for folder in candidates if _has_programs(folder)), None)


def _has_programs(folder: Path) -> bool:
    return all(shutil.which(name, path=str(folder)) is not None for name in _PROGRAMS)


def unprivileged() -> tuple[int | None, int | None]:
    """The user and the group to run the server as, because PostgreSQL refuses to run as root; None: our own."""
    if sys.platform != "win32" and os.geteuid() == 0:
        import pwd

        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            account = pwd.getpwnam("nobody")
        return account.pw_uid, account.pw_gid
    return None, None


class Cluster:
    """A data folder, and the server on it; durability stays as shipped.

    Attributes:
        port: TCP port on 127.0.0.1; 0 before the first start.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.port = 0
        self._folder = folder
        self._programs = programs
        self._data = f"--pgdata={folder / 'data'}"

    def create(self) -> None:
        # --no-sync speaks of the new files alone: the server itself keeps fsync on.
        names = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", self._data, *names, "--no-sync")

    def start_on_free_port(self) -> None:
        for starts_left in reversed(range(_STARTS_MAX)):
            with closing(socket.socket()) as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            try:
                self.start()
                return
            except subprocess.CalledProcessError:
                if starts_left == 0:
                    raise

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories="
        log = f"--log={self._folder / 'server.log'}"
        self._run("pg_ctl", "start", "--wait", self._data, log, f"--options={options}")

    def stop(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", self._data, "--mode=fast")

    def _run(self, program: str, *arguments: str) -> None:
        user, group = unprivileged()
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # the standard output is the line to the tests
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            timeout=_COMMAND_SECONDS,
            check=True,
        )


def guard() -> None:
    """Runs a server until the standard input closes."""
    programs = find_programs()
    if programs is None:
        sys.exit("PostgreSQL's server programs are not on this machine")
    folder = Path(tempfile.mkdtemp(prefix="mlp-postgres-"))
    cluster = Cluster(folder, programs)
    try:
        user, group = unprivileged()
        if sys.platform != "win32" and user is not None and group is not None:
            os.chown(folder, user, group)
        cluster.create()
        cluster.start_on_free_port()
        print(cluster.port, flush=True)
        for command in sys.stdin:
            cluster.stop() if command.strip() == "stop" else cluster.start()
            print("done", flush=True)
    finally:
        cluster.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    guard()
