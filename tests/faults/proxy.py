"""TCP proxies between the processes, in a process of their own, and what can be done to a link while it is used.

    pass    everything flows, at once or with a delay
    drop    a partition: connections stay, new ones are taken, and nothing flows in either direction
    mute    half of one: what the client says arrives, and no answer comes back
    refuse  every connection is reset, and nobody listens

A partition holds bytes back instead of throwing them away, as TCP would send them again when the link is back.
"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_CHUNK_BYTES = 2**16
_ANSWER_SECONDS = 30.0
#: On with no time to linger: close() sends RST instead of FIN (socket(7)).
_RESET = struct.pack("ii", 1, 0)

PASS, DROP, MUTE, REFUSE = "pass", "drop", "mute", "refuse"


@dataclass(frozen=True)
class LinkPlan:
    """Where a link listens, and where it leads; both ports of 127.0.0.1."""

    name: str
    listen_port: int
    target_port: int


class Link:
    """One proxy: what it is told holds for the connections that it has and for those to come."""

    def __init__(self, plan: LinkPlan) -> None:
        self._plan = plan
        self._mode = PASS
        self._delay_seconds = 0.0
        self._flowing = {"there": asyncio.Event(), "back": asyncio.Event()}
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        await self.set(PASS, 0.0)

    async def set(self, mode: str, delay_seconds: float) -> None:
        """What happens from now on."""
        self._mode, self._delay_seconds = mode, delay_seconds
        for direction, event in self._flowing.items():
            is_open = mode == PASS or (mode == MUTE and direction == "there")
            event.set() if is_open else event.clear()
        if mode == REFUSE:
            if self._server is not None:
                self._server.close()
                self._server = None
            self.reset()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._plan.listen_port, backlog=512)

    def reset(self) -> int:
        """How many connections were cut by RST, at both ends."""
        writers, self._writers = self._writers, set()
        for writer in writers:
            _reset(writer)
        return len(writers) // 2

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        out: asyncio.StreamWriter | None = None
        try:
            await self._flowing["there"].wait()
            back, out = await asyncio.open_connection("127.0.0.1", self._plan.target_port)
            self._writers.add(out)
            await asyncio.gather(self._pump("there", reader, out), self._pump("back", back, writer))
        except (OSError, asyncio.CancelledError):
            # Nobody listens there, or one end was reset, or the proxies end: so is the other.
            for each in (writer, out):
                if each is not None:
                    _reset(each)
        finally:
            for each in (writer, out):
                if each is not None:
                    self._writers.discard(each)
                    each.close()

    async def _pump(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flowing = self._flowing[direction]
        while True:
            chunk = await reader.read(_CHUNK_BYTES)
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            await flowing.wait()
            if not chunk:
                with suppress(OSError):
                    writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        connection: socket.socket | None = writer.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _obey(plans: Sequence[LinkPlan]) -> None:
    links = {plan.name: Link(plan) for plan in plans}
    for link in links.values():
        await link.start()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, action, value = json.loads(line)
        if action == "reset":
            print(links[name].reset(), flush=True)
        else:
            await links[name].set(action, value)
            print("done", flush=True)


async def _end_after(work: Coroutine[Any, Any, None]) -> None:
    """End with the work: nothing is to be saved, and a loop that closes complains of each connection it still has."""
    await work
    os._exit(0)


class Links:
    """The proxies as the harness sees them; ended by close(), and when this process ends."""

    def __init__(self, plans: Sequence[LinkPlan]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.proxy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._write(json.dumps([[plan.name, plan.listen_port, plan.target_port] for plan in plans]))
        answer = self._read()
        assert answer == "ready", f"the proxies do not start: {answer!r}"

    def set(self, names: Sequence[str], mode: str, delay_seconds: float = 0.0) -> None:
        """Do this to these links from now on."""
        for name in names:
            self._order([name, mode, delay_seconds])

    def reset(self, names: Sequence[str]) -> int:
        """How many connections of these links were cut by RST."""
        return sum(int(self._order([name, "reset", 0])) for name in names)

    def close(self) -> None:
        """Cut everything and end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _order(self, order: Sequence[object]) -> str:
        with self._lock:
            self._write(json.dumps(order))
            answer = self._read()
        assert answer, "the proxies' process has ended; it printed the reason to the standard error"
        return answer

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


if __name__ == "__main__":
    _plans = [LinkPlan(*plan) for plan in json.loads(sys.stdin.readline())]
    asyncio.run(_end_after(_obey(_plans)))
