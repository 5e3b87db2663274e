"""Log lines: JSON for machines, text on a terminal, with the ids of request, job, model and version on every line."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from mlp.clock import to_rfc3339

_context: ContextVar[dict[str, str] | None] = ContextVar("mlp_log_context", default=None)
#: What a LogRecord has of its own; everything else on it came by ``extra=`` and belongs on the line.
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


@contextmanager
def log_context(**ids: str | None) -> Iterator[None]:
    """Lines logged inside carry these ids (``request_id``, ``job_id``, ``model``, ``version``); None is left out."""
    current = _context.get()
    merged = {**({} if current is None else current), **{key: value for key, value in ids.items() if value is not None}}
    token = _context.set(merged)
    try:
        yield
    finally:
        _context.reset(token)


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids, extra members, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        line: dict[str, Any] = {
            "time": to_rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_members(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """A line for a person: time of day, level, message, then the ids."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        time_of_day = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        members = " ".join(f"{key}={value}" for key, value in _members(record).items())
        text = f"{time_of_day} {record.levelname.lower():7} {record.getMessage()}{'  ' + members if members else ''}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _members(record: logging.LogRecord) -> dict[str, Any]:
    context = _context.get()
    extra = {key: value for key, value in vars(record).items() if key not in _OWN_ATTRIBUTES}
    return {**({} if context is None else context), **extra}


def set_up(level: str, form: str) -> None:
    """Send all log lines of this process to stderr.

    Args:
        level: Least severe level: debug, info, warning or error.
        form: json, text, or auto: text where stderr is a terminal, else JSON.
    """
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if is_text else JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # uvicorn logs a line per request at INFO; ours has the ids, and its error lines pass through the root.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
