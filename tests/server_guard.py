"""Runs RabbitMQ or Redis for the tests until its standard input closes, and takes it down whatever happened.

The tests hold the other end of that input, so even a test process that was killed leaves no server behind. The port
is printed once the server answers; then each line read is obeyed and answered by "done": "stop", "start", "kill",
"pause" (the server keeps its port and its connections, and says nothing) and "go_on".
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

_STARTS_MAX = 5  # another process may take the free port before the server does
_ANSWER_SECONDS = 80.0
_STOP_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
#: Where Debian keeps what it does not put on everybody's PATH; its own wrapper there insists on the system's folders.
_RABBITMQ_FOLDER = "/usr/lib/rabbitmq/bin"
#: Name of the file of users and queues that RabbitMQ loads at its start, if its folder has it.
DEFINITIONS = "definitions.json"


def find_redis() -> str | None:
    """The server program of Redis; None if it is not on this machine."""
    return shutil.which("redis-server")


def find_prometheus() -> str | None:
    """The server program of Prometheus, if its tool is there too; None if not."""
    return shutil.which("prometheus") if shutil.which("promtool") is not None else None


def find_rabbitmq() -> str | None:
    """The server program of RabbitMQ, if Erlang's port mapper is there too; None if not."""
    program = shutil.which("rabbitmq-server", path=_RABBITMQ_FOLDER) or shutil.which("rabbitmq-server")
    return program if shutil.which("epmd") is not None else None


@dataclass(frozen=True)
class Program:
    """How a server is run.

    Attributes:
        account: The user to run as where this process is root's.
        hello: What is said to it to learn whether it is up, and ``answers``, how an answer then begins.
        companion: A program that runs beside it, and ends with it.
    """

    account: str
    command: Sequence[str]
    hello: bytes
    answers: tuple[bytes, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    companion: Sequence[str] | None = None


def redis_program(folder: Path, port: int) -> Program:
    """Redis in memory alone, since nothing it holds may be needed again."""
    program = find_redis()
    assert program is not None, "Redis' server program is not on this machine"
    return Program(
        "redis",
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        hello=b"PING\r\n",
        answers=(b"+", b"-NOAUTH"),  # with a password it wants that first: either way it is up
    )


def rabbitmq_program(folder: Path, port: int) -> Program:
    """RabbitMQ without plug-ins, its files in the folder, with a port mapper of its own."""
    program = find_rabbitmq()
    assert program is not None, "RabbitMQ's server program is not on this machine"
    mapper_port = str(free_port())
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    definitions = folder / DEFINITIONS
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        "disk_free_limit.absolute = 50MB\n"
        "raft.wal_max_size_bytes = 16000000\n"  # else it takes half a gigabyte of a small disk
        + (f"load_definitions = {definitions}\n" if definitions.exists() else ""),
        encoding="utf-8",
    )
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": mapper_port,
        "RABBITMQ_NODENAME": f"mlp{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
    }
    return Program(
        "rabbitmq",
        [program],
        hello=b"AMQP\x00\x00\x09\x01",
        answers=(b"\x01",),  # the first byte of a method frame, which is Connection.Start: AMQP 0-9-1 section 2.2.4
        environment=environment,
        companion=["epmd", "-port", mapper_port, "-address", "127.0.0.1"],  # one that Erlang starts outlives everything
    )


MakeProgram = Callable[[Path, int], Program]
PROGRAMS: dict[str, MakeProgram] = {"redis": redis_program, "rabbitmq": rabbitmq_program}


class Server:
    """A server in a folder of its own, as a process that this one started and ends.

    Attributes:
        port: TCP port on 127.0.0.1; 0 before the first start.
    """

    def __init__(self, folder: Path, make_program: MakeProgram) -> None:
        self.port = 0
        self._folder = folder
        self._make_program = make_program
        self._running: list[subprocess.Popen[bytes]] = []

    def start_on_free_port(self) -> None:
        for starts_left in reversed(range(_STARTS_MAX)):
            self.port = free_port()
            try:
                self.start()
                return
            except AssertionError:
                self.kill()
                if starts_left == 0:
                    raise

    def start(self) -> None:
        program = self._make_program(self._folder, self.port)
        user, group = _account_of(program.account)
        if sys.platform != "win32" and user is not None and group is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, user, group)
        commands = [command for command in (program.companion, program.command) if command is not None]
        self._running = [self._run(program, command) for command in commands]
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not self._answers(program):
            assert self._running[-1].poll() is None, f"the server ended at once; see {self._log_end()}"
            assert time.monotonic() < deadline, f"the server does not answer; see {self._log_end()}"
            time.sleep(_PAUSE_SECONDS)

    def stop(self) -> None:
        """In order, as its container would be stopped."""
        if self._running and self._running[-1].poll() is None:
            self.go_on()  # a paused process would not hear the signal
            self._running[-1].terminate()
            with suppress(subprocess.TimeoutExpired):
                self._running[-1].wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """As a power cut would end it."""
        for process in reversed(self._running):
            with suppress(ProcessLookupError):
                if sys.platform != "win32":
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)
        self._running = []
        # Some kernels close a dead process's sockets after it has been waited for: a connection then breaks off.
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._is_refusing() and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)

    def pause(self) -> None:
        """As a machine that hangs: what listens goes on listening, and nobody answers."""
        if sys.platform != "win32":
            self._signal(signal.SIGSTOP)
        # Its threads stop one after the other: the last of them may answer once more.
        while self._answers(self._make_program(self._folder, self.port), timeout_seconds=0.5):
            time.sleep(_PAUSE_SECONDS)

    def go_on(self) -> None:
        """After a pause, as if nothing had been."""
        if sys.platform != "win32":
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if sys.platform != "win32":
                os.killpg(self._running[-1].pid, number)

    def _run(self, program: Program, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        user, group = _account_of(program.account)
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env={**os.environ, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                start_new_session=True,
            )

    def _answers(self, program: Program, timeout_seconds: float = 2.0) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), timeout_seconds)) as connection:
                connection.sendall(program.hello)
                return connection.recv(64).startswith(program.answers)
        except OSError:
            return False

    def _is_refusing(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    def _log_end(self) -> str:
        return (self._folder / "output").read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """A port that nobody listens on, a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _account_of(name: str) -> tuple[int | None, int | None]:
    """The user and the group to run as, since a server needs no root; None: our own."""
    if sys.platform != "win32" and os.geteuid() == 0:
        import pwd

        try:
            account = pwd.getpwnam(name)
        except KeyError:
            account = pwd.getpwnam("nobody")
        return account.pw_uid, account.pw_gid
    return None, None


def guard(kind: str, definitions: str | None = None) -> None:
    """Runs a server until the standard input closes; RabbitMQ with a file of definitions, if one is named."""
    folder = Path(tempfile.mkdtemp(prefix=f"mlp-{kind}-"))
    server = Server(folder, PROGRAMS[kind])
    orders = {
        "start": server.start,
        "stop": server.stop,
        "kill": server.kill,
        "pause": server.pause,
        "go_on": server.go_on,
    }
    try:
        if definitions is not None:
            shutil.copy(definitions, folder / DEFINITIONS)
        server.start_on_free_port()
        print(server.port, flush=True)
        for command in sys.stdin:
            orders[command.strip()]()
            print("done", flush=True)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(*sys.argv[1:])
