"""A server of another project as a test sees it: stopped, started and killed by orders to its guard."""

import subprocess
import sys
from pathlib import Path

_CLOSE_SECONDS = 90.0


class OrderedServer:
    """A running server on the loopback address, gone at the latest when this process is.

    Args:
        guard: The program that runs it and obeys orders, with its arguments.

    Attributes:
        port: TCP port on 127.0.0.1, the same after every start().
    """

    def __init__(self, *guard: str | Path) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, *guard],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal must not end the guard before the tests
        )
        try:
            self.port = int(self._answer())
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Takes the server down in order, as ``docker compose stop`` would; returns when it is down."""
        self._order("stop")

    def start(self) -> None:
        """Starts the server again on its old port; returns when it answers."""
        self._order("start")

    def close(self) -> None:
        """Takes the server down for good and removes its folder."""
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        self._guard.stdin.close()
        self._guard.wait(_CLOSE_SECONDS)
        self._guard.stdout.close()

    def _order(self, command: str) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{command}\n")
        self._guard.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._guard.stdout is not None
        answer = self._guard.stdout.readline().strip()
        assert answer, "the server did not obey; its guard printed the reason to the standard error"
        return answer


class GuardedServer(OrderedServer):
    """A server that can also be killed and frozen, and that a fixture brings back however a test leaves it."""

    def __init__(self, *guard: str | Path) -> None:
        self._is_running = True
        self._is_paused = False
        super().__init__(*guard)

    def stop(self) -> None:
        super().stop()
        self._is_running = self._is_paused = False

    def kill(self) -> None:
        """Ends the server as a power cut would; returns when it is gone."""
        self._order("kill")
        self._is_running = self._is_paused = False

    def start(self) -> None:
        super().start()
        self._is_running = True

    def pause(self) -> None:
        """Freezes the server: connections stay, new ones are taken by the system, and nothing is answered."""
        self._order("pause")
        self._is_paused = True

    def go_on(self) -> None:
        """Lets a paused server go on."""
        self._order("go_on")
        self._is_paused = False

    def ensure_started(self) -> None:
        """Starts it if it was stopped or killed, and lets it go on if it was paused."""
        if self._is_paused:
            self.go_on()
        if not self._is_running:
            self.start()
