"""Statements as PostgreSQL really executed them: their plans come back by auto_explain, prepared ones as they ran."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from mlp.storage.database import Database

#: A connection prepares a statement at its sixth execution (psycopg's prepare_threshold), and PostgreSQL chooses
#: between a plan for these parameters and one for any five executions later: the last of so many is what a process
#: that has run for some seconds gets.
EXECUTIONS = 13
#: Further than the plans of any statement that reads what it needs, in pages of 8 KiB.
_PAGES_MAX = 5_000
_SETTINGS = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_buffers = on",
    "SET auto_explain.log_format = json",
    "SET auto_explain.log_level = notice",
)

Action = Callable[[sa.Connection], Any]


@dataclass(frozen=True)
class Plan:
    """How one statement was executed.

    Attributes:
        pages: Pages of 8 KiB that were looked at, in memory or on disk.
        scans: The ways in which tables were read, such as ``Index Scan using ix_jobs_queued``.
    """

    statement: str
    milliseconds: float
    pages: int
    scans: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        """Why the plan would not do beside many rows; empty if it would."""
        faults = [scan for scan in self.scans if scan == "Seq Scan on jobs"]
        if self.pages > _PAGES_MAX:
            faults.append(f"reads {self.pages:,} pages")
        return faults


class Explainer:
    """Executes a store's functions on one connection, without lasting effect, and has their plans."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notices: list[str] = []
        event.listen(database.engine, "connect", self._prepare)

    def explain(self, action: Action) -> list[Plan]:
        """The plans of the last of some executions, one for each statement of the action."""
        with self._database.engine.connect() as connection:
            for _ in range(EXECUTIONS):
                self._notices.clear()
                with connection.begin() as transaction:
                    action(connection)
                    transaction.rollback()
        # Read after the rollback: the plan of a query comes when PostgreSQL lets go of it, of the last one only then.
        if not self._notices:
            raise RuntimeError("PostgreSQL has told no plan: is auto_explain installed with it?")
        return [_plan_of(notice) for notice in self._notices]

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.add_notice_handler(self._note)
        with connection.cursor() as cursor:
            for setting in _SETTINGS:
                cursor.execute(setting)
        connection.commit()

    def _note(self, diagnostic: Any) -> None:
        _, separator, plan = (diagnostic.message_primary or "").partition("plan:\n")
        if separator:
            self._notices.append(plan)


def _plan_of(text: str) -> Plan:
    document = json.loads(text)
    root = document["Plan"]
    return Plan(
        statement=" ".join(document["Query Text"].split())[:60],
        milliseconds=root["Actual Total Time"],
        pages=root["Shared Hit Blocks"] + root["Shared Read Blocks"],
        scans=tuple(_scans(root)),
    )


def _scans(node: dict[str, Any]) -> Iterator[str]:
    kind, table, index = node["Node Type"], node.get("Relation Name"), node.get("Index Name")
    if index is not None:
        yield f"{kind} using {index}"
    elif kind == "Seq Scan":
        yield f"{kind} on {table}"
    for below in node.get("Plans", []):
        yield from _scans(below)
