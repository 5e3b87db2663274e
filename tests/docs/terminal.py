"""A reader at a terminal: pastes the blocks of a page into a folder, one after the other, beside a server.

What is printed runs as it is printed, with these exceptions: the line that activates ``.venv`` is left out, since the
programs of this Python come first on the path; ``mlp serve`` goes on in the background; and where port 4789 is not
to be had, ``localhost:4789`` is read as another port, which the server is told by MLP_PORT and the others by MLP_URL.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import urllib3

from tests.docs.blocks import Block
from tests.servers import until

PORT = 4789
_ACTIVATE = ". .venv/bin/activate"
_SERVE = "mlp serve"
_PASTE_SECONDS = 400.0
_STOP_SECONDS = 30.0


def free_port(wanted: int = 0) -> int:
    """The port if it is free, else one that is."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Terminal:
    """A folder, the environment of a reader, and the server that was started there; to be closed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.site = folder / "site"  # where Python looks for packages, too: as if they had been installed
        self.site.mkdir(parents=True)
        self._server: subprocess.Popen[bytes] | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLP_", "DATABASE_"))}
        elsewhere = {} if port == PORT else {"MLP_PORT": str(port), "MLP_URL": f"http://localhost:{port}"}
        self._environment = {
            **inherited,
            **elsewhere,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")]),
            "PYTHONPATH": str(self.site),
            "OMP_NUM_THREADS": "1",  # on a busy machine several threads mostly wait for each other
        }

    def follow(self, blocks: Iterable[Block]) -> str:
        """Do what the tested blocks of a page say, in their order; returns all that was printed."""
        return "".join(self._do(number, block) for number, block in enumerate(blocks) if block.is_tested)

    def _do(self, number: int, block: Block) -> str:
        if block.caption:
            self.write(block.caption, block.text)
        elif block.language == "sh":
            return self.paste(block.text)
        elif block.language == "python":
            # A file, since code that is captured needs its source at hand, as in a notebook.
            self.write(f"block_{number}.py", block.text)
            return self.paste(f"python block_{number}.py")
        else:
            raise AssertionError(f"a block of {block.language} cannot be run: give it a caption")
        return ""

    def write(self, name: str, text: str) -> None:
        """Write a file as the page shows it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.as_here(text), encoding="utf-8")

    def as_here(self, text: str) -> str:
        """The text with the address of this server."""
        return text.replace(f"localhost:{PORT}", f"localhost:{self.port}")

    def paste(self, script: str) -> str:
        """What the lines print; no command of them may fail, and no answer may be an error."""
        printed = ""
        waiting: list[str] = []
        for line in script.splitlines():
            if line == _SERVE:
                printed += self._run(waiting)
                waiting = []
                self._serve()
            elif line != _ACTIVATE:
                waiting.append(line)
        return printed + self._run(waiting)

    def _run(self, lines: list[str]) -> str:
        if not lines:
            return ""
        script = self.as_here("\n".join(lines))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PASTE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        assert "urn:mlp:error" not in done.stdout, f"{script}\n{done.stdout}"
        return done.stdout

    def _serve(self) -> None:
        assert self._server is None, "the page starts two servers"
        with (self.folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                _SERVE.split(),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._is_ready, 120.0, (self.folder / "server.log").read_text)

    def _is_ready(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self.folder / "server.log").read_text()
        try:
            answer = urllib3.request("GET", f"http://localhost:{self.port}/health/ready", timeout=5, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def close(self) -> None:
        """Stop the server, if there is one."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(_STOP_SECONDS)
