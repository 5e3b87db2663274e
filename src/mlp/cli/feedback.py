"""``mlp feedback``: sends the labels of a file, and says what became of each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlp.cli.arguments import DelimiterOption, FormatOption, KeyOption, ModelArgument
from mlp.cli.output import Column, Output, count, number
from mlp.cli.session import Session
from mlp.errors import BadInput, MLPError

if TYPE_CHECKING:
    from mlp.cli.labels import LabelColumns, LabelReader
    from mlp.cli.row_files import Row, RowFile
    from mlp.client import Client
    from mlp.client.results import FeedbackReport, Label

#: What one request may carry; see feedback_labels_max of the settings.
LABELS_PER_REQUEST = 10_000
#: Rejected lines shown in the text form; --json has them all.
REJECTED_SHOWN = 20

_OUTCOMES = {
    "matched": "tied to their prediction",
    "parked": "no such prediction yet: kept, and matched when it comes",
    "repeated": "known already, with the same label",
    "changed": "known already with another label: the newest time counts",
    "late": "of these, came after the model's label horizon",
    "rejected": "not taken",
}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not taken; ``number`` is its line, or in a JSON document its index."""

    number: int
    code: str
    detail: str


@dataclass(slots=True)
class FeedbackTotals:
    """What became of all rows of a file."""

    rows: int = 0
    matched: int = 0
    parked: int = 0
    repeated: int = 0
    changed: int = 0
    late: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)

    def add(self, report: "FeedbackReport", numbers: list[int]) -> None:
        """Adds the report of one request, whose labels stood at these lines."""
        self.matched += report.matched
        self.parked += report.parked
        self.repeated += report.repeated
        self.changed += report.changed
        self.late += report.late
        self.rejected += [RejectedRow(numbers[each.index], each.code, each.detail) for each in report.rejected]


def feedback(
    session: Session,
    name: ModelArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labels: CSV, JSON or JSON lines; - is standard input.")],
    key: KeyOption = None,
    by_id: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="Column with the id of the answer.", show_default=False),
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="With --id: column with the row, from 0.", show_default=False),
    ] = None,
    label: Annotated[str, typer.Option(metavar="COLUMN", help="Column with what turned out to be true.")] = "label",
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column with the time when it was known; else now.", show_default=False),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Zone of times without an offset: Europe/Berlin.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who says so, to be recorded.", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would happen; write nothing.")] = False,
    row_format: FormatOption = None,
    delimiter: DelimiterOption = None,
) -> None:
    """Send labels: what turned out to be true.

    A key that was predicted often means its latest prediction before the time of the label. Sending a file again
    does no harm: what is known already is counted as repeated.
    The exit code is 1 if a label was rejected.
    """
    from mlp.cli.labels import LabelColumns, zone_named
    from mlp.cli.row_files import opened

    if (key is None) == (by_id is None):
        raise typer.BadParameter("say --key COLUMN, or --id COLUMN for the ids that the server answered")
    columns = LabelColumns(label, key, by_id, row, time, None if zone is None else zone_named(zone), source)
    with opened(file, row_format, delimiter) as rows, session.client() as client:
        totals = _send(session.output, client, name, rows, columns, check=check)
        _print(session.output, name, totals, rows, check=check)
    if totals.rejected:
        raise typer.Exit(1)


def _send(
    output: Output, client: "Client", name: str, file: "RowFile", columns: "LabelColumns", *, check: bool
) -> FeedbackTotals:
    from mlp.cli.labels import LabelReader

    _check_columns(file, columns.named())
    reader = LabelReader(columns, client.models.signature(name), file.format)
    totals = FeedbackTotals()
    try:
        with output.progress(f"labels for {name}") as report_progress:
            for chunk in file.chunks(LABELS_PER_REQUEST):
                labels, numbers = _read(reader, chunk, totals)
                if labels:
                    totals.add(client.feedback(name, labels, check=check), numbers)
                totals.rows += len(chunk)
                report_progress(totals.rows, None, f"labels for {name}: {count(totals.rows)}")
    except MLPError:
        if totals.rows and not check:
            output.note(f"the first {count(totals.rows)} rows are stored: send the whole file again, it does no harm")
        raise
    for (text, meaning), times in sorted(reader.conversions.items()):
        output.note(f'read "{text}" as {meaning} {"once" if times == 1 else f"{count(times)} times"}')
    totals.rejected.sort(key=lambda rejected: rejected.number)
    return totals


def _check_columns(file: "RowFile", needed: list[str]) -> None:
    if file.names is None:
        return
    from mlp.cli.row_files import delimiter_hint

    for name in needed:
        if name not in file.names:
            has = ", ".join(f"'{each}'" for each in file.names)
            raise BadInput(f"{file.title} has no column '{name}'; it has {has}{delimiter_hint(file.names)}")


def _read(reader: "LabelReader", chunk: list["Row"], totals: FeedbackTotals) -> tuple[list["Label"], list[int]]:
    """The labels of the rows that can be read, and where they stand; the others are rejected here."""
    labels = []
    numbers: list[int] = []
    for row in chunk:
        try:
            labels.append(reader.read(row))
        except BadInput as error:
            totals.rejected.append(RejectedRow(row.number, error.code, error.message))
        else:
            numbers.append(row.number)
    return labels, numbers


def _print(output: Output, name: str, totals: FeedbackTotals, file: "RowFile", *, check: bool) -> None:
    counts = {outcome: getattr(totals, outcome) for outcome in _OUTCOMES if outcome != "rejected"}
    if output.is_json:
        rejected = [{file.unit: each.number, "code": each.code, "detail": each.detail} for each in totals.rejected]
        document: dict[str, Any] = {"model": name, "check": check, "rows": totals.rows, **counts, "rejected": rejected}
        output.json(document)
        return
    counts["rejected"] = len(totals.rejected)
    rows = [(outcome, count(counts[outcome]), meaning) for outcome, meaning in _OUTCOMES.items()]
    output.table([Column("outcome"), number("labels"), Column("meaning", is_folded=True)], rows)
    for each in totals.rejected[:REJECTED_SHOWN]:
        output.line(f"{file.unit} {each.number}: {each.detail}")
    if len(totals.rejected) > REJECTED_SHOWN:
        output.line(f"and {count(len(totals.rejected) - REJECTED_SHOWN)} more; --json lists all of them")
    if check:
        output.note("nothing was written: --check only looks")
