"""Whether a program over the network is reached, and if not, why: the kinds of trouble that have different remedies."""

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import closing
from enum import StrEnum
from typing import TypeVar

_log = logging.getLogger(__name__)
Found = TypeVar("Found")


class Trouble(StrEnum):
    """Why a program gave no good answer."""

    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    SILENT = "silent"
    PASSWORD = "password"
    OTHER = "other"


class NoAnswer(Exception):
    """A program gave no good answer: the kind of trouble, and a sentence."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail


def check_reached(host: str, port: int, timeout_seconds: float) -> None:
    """Returns when something accepts connections there.

    Raises:
        NoAnswer: Its name does not resolve, it refuses, or it is silent.
    """
    try:
        with closing(socket.create_connection((host, port), timeout_seconds)):
            return
    except socket.gaierror as error:
        raise NoAnswer(Trouble.UNRESOLVED, f"the name {host} does not resolve ({error.strerror})") from error
    except TimeoutError as error:
        raise NoAnswer(Trouble.SILENT, f"{host}:{port} does not answer within {timeout_seconds:g} s") from error
    except ConnectionRefusedError as error:
        raise NoAnswer(Trouble.REFUSED, f"{host}:{port} refuses connections: nothing listens there") from error
    except OSError as error:
        raise NoAnswer(Trouble.OTHER, f"{host}:{port} is not reached: {error.strerror or error}") from error


def asked_together(
    questions: Mapping[str, Callable[[], Found]], timeout_seconds: float
) -> dict[str, "Found | NoAnswer"]:
    """Each question's answer, asked at the same time in threads; one that takes longer than the time-out is left.

    A thread that is left ends with its own time-out: resolving a name cannot be interrupted.
    """
    futures: dict[str, Future[Found | NoAnswer]] = {}
    for name, ask in questions.items():
        futures[name] = Future()
        threading.Thread(target=_ask, args=(name, ask, futures[name]), name="mlp-examine", daemon=True).start()
    done, _late = wait(futures.values(), timeout_seconds)
    late = NoAnswer(Trouble.SILENT, f"no answer within {timeout_seconds:g} s")
    return {name: future.result() if future in done else late for name, future in futures.items()}


def _ask(name: str, ask: Callable[[], Found], future: "Future[Found | NoAnswer]") -> None:
    try:
        future.set_result(ask())
    except NoAnswer as error:
        future.set_result(error)
    except Exception as error:
        # Drivers raise what they like; whatever it was, the reader of the report learns of it.
        _log.warning("examining %s failed: %s: %s", name, type(error).__name__, error)
        future.set_result(NoAnswer(Trouble.OTHER, f"{type(error).__name__}: {error}"))
