"""``mlp batch``: predict a file of any size, see how far it is, read its result, cancel it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlp.batches.choices import BatchFormat, BatchState, Columns, Policy
from mlp.cli.arguments import AtOption, DelimiterOption, IgnoreExtraOption, KeyOption, MissingOption, ModelArgument
from mlp.cli.output import Column, Output, ReportProgress, count, moment, number, percent, size, span
from mlp.cli.session import Session
from mlp.errors import DeadlineExceeded

if TYPE_CHECKING:
    from mlp.client import Client
    from mlp.client.batches import Batch, RowError
    from mlp.client.transport import Transport

#: Of the bad rows so many are shown: enough to see what they have in common.
BAD_ROWS_SHOWN = 10

BatchArgument = Annotated[str, typer.Argument(metavar="ID", help="The batch.", show_default=False)]


def run(
    session: Session,
    name: ModelArgument,
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="Rows: .csv, .tsv, .jsonl or .parquet.", show_default=False)
    ],
    result: Annotated[Path, typer.Argument(metavar="OUT", help="File for the answers.", show_default=False)],
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Number or alias, else the champion.", show_default=False)
    ] = None,
    key: KeyOption = None,
    policy: Annotated[
        Policy, typer.Option(help="Report bad rows in their place, or fail at the first.")
    ] = Policy.COLLECT,
    columns: Annotated[Columns, typer.Option(help="The prediction alone, or the row before it.")] = Columns.PREDICTION,
    at: AtOption = None,
    row_format: Annotated[
        BatchFormat | None, typer.Option("--format", help="Format, if the name does not say it.", show_default=False)
    ] = None,
    delimiter: DelimiterOption = None,
    missing: MissingOption = None,
    ignore_extra: IgnoreExtraOption = False,
) -> None:
    """Predict a file of any size into another one.

    Broken off, the same command goes on with what the server has. Ends with exit code 1 if rows were bad: each has
    its reason in its place.
    """
    from mlp.client.batch_runs import run_batch
    from mlp.client.batches import BatchOptions

    options = BatchOptions(
        version=version,
        format=None if row_format is None else row_format.value,
        key=key,
        policy=policy.value,
        columns=columns.value,
        delimiter=delimiter,
        missing=missing or (),
        ignore_extra=ignore_extra,
        at=at,
    )
    with session.output.progress(f"sending {file.name}") as report_progress:

        def report(batch: "Batch") -> None:
            report_progress(batch.rows_done, batch.rows, f"{count(batch.rows_done)} rows")

        with session.client(lambda transport: _watched(transport, report_progress, file)) as client:
            done = run_batch(client.batches, client.models, name, file, result, options, report)
            bad_rows = client.batches.errors(done.batch.id, limit=BAD_ROWS_SHOWN) if done.batch.rows_bad else []
    _print_run(session.output, done.batch, result, bad_rows, is_continued=done.is_continued)


def list_batches(
    session: Session,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this model.", show_default=False)] = None,
    state: Annotated[BatchState | None, typer.Option(help="Only in this state.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="At most so many.", min=1)] = 50,
) -> None:
    """List batch files, the newest first."""
    with session.client() as client:
        batches = client.batches.list(model=model, state=None if state is None else state.value, limit=limit)
    if session.output.is_json:
        session.output.json({"batches": batches})
    elif batches:
        _print_batches(session.output, batches)
    else:
        session.output.note("There are no such batches")


def show(
    session: Session,
    batch_id: BatchArgument,
    wait_seconds: Annotated[
        float,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="Seconds to wait for its end at most.", show_default=False
        ),
    ] = 0,
) -> None:
    """Show a batch: its state, how far it is, its first bad rows."""
    with session.client() as client:
        batch = _after_wait(session.output, client, batch_id, wait_seconds)
        bad_rows = client.batches.errors(batch_id, limit=BAD_ROWS_SHOWN) if batch.rows_bad else []
    if session.output.is_json:
        session.output.json({"batch": batch, "errors": bad_rows})
        return
    session.output.facts(_facts(batch))
    _print_bad_rows(session.output, batch, bad_rows)


def result(
    session: Session,
    batch_id: BatchArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File, or - for standard output.", show_default=False)],
    partial: Annotated[
        bool, typer.Option("--partial", help="What there is of a batch that has not succeeded.")
    ] = False,
) -> None:
    """Write the result of a batch into a file."""
    from mlp.client.batch_runs import write_whole

    with session.client() as client:
        pieces = client.batches.result(batch_id, partial=partial)
        if str(out) == "-":
            for piece in pieces:
                sys.stdout.write(piece.decode())
        else:
            write_whole(out, pieces)


def cancel(session: Session, batch_id: BatchArgument) -> None:
    """Cancel a batch that has not ended."""
    with session.client() as client:
        batch = client.batches.cancel(batch_id)
    if session.output.is_json:
        session.output.json(batch)
    else:
        session.output.facts(_facts(batch))


def _watched(transport: "Transport", report_progress: ReportProgress, file: Path) -> "Transport":
    from mlp.cli.uploads import WatchedTransport

    return WatchedTransport(
        transport, report_progress, sending=f"sending {file.name}", waiting=f"predicting {file.name}"
    )


def _after_wait(output: Output, client: "Client", batch_id: str, wait_seconds: float) -> "Batch":
    if wait_seconds == 0:
        return client.batches.show(batch_id)
    with output.progress(f"waiting for batch {batch_id}"):
        try:
            return client.batches.wait(batch_id, wait_seconds)
        except DeadlineExceeded:
            return client.batches.show(batch_id)


def _print_run(
    output: Output, batch: "Batch", written: Path, bad_rows: Sequence["RowError"], *, is_continued: bool
) -> None:
    if output.is_json:
        output.json({"batch": batch, "errors": bad_rows})
    else:
        if is_continued:
            output.note(f"Went on with batch {batch.id}, which had this file already")
        output.line(
            f"{written}: {count(batch.rows)} rows by version {batch.version} of {batch.model}, "
            f"{count(round(batch.rows_per_second))} rows/s"
        )
        _print_bad_rows(output, batch, bad_rows)
    if batch.rows_bad:
        raise typer.Exit(1)


def _print_bad_rows(output: Output, batch: "Batch", bad_rows: Sequence["RowError"]) -> None:
    if not batch.rows_bad:
        return
    output.line(f"{count(batch.rows_bad)} bad rows{', the first of them:' if batch.rows_bad > len(bad_rows) else ':'}")
    for bad in bad_rows:
        output.line(f"  line {bad.line}: {bad.reason}")


def _print_batches(output: Output, batches: Sequence["Batch"]) -> None:
    rows = [
        (batch.id, batch.model, batch.state, count(batch.rows), _done(batch), count(batch.rows_bad))
        for batch in batches
    ]
    columns = [Column("id"), Column("model", is_folded=True), Column("state")]
    output.table([*columns, number("rows"), number("done"), number("bad")], rows)


def _done(batch: "Batch") -> str:
    return percent(batch.rows_done / batch.rows) if batch.rows else "-"


def _facts(batch: "Batch") -> list[tuple[str, str]]:
    facts = [
        ("batch", batch.id),
        ("model", f"{batch.model}, version {batch.version}"),
        ("state", batch.state),
        ("file", f"{size(batch.bytes)}, {count(batch.rows)} rows, {batch.format}"),
        ("done", f"{count(batch.rows_done)} rows ({_done(batch)}), {count(batch.rows_bad)} of them bad"),
        ("speed", f"{count(round(batch.rows_per_second))} rows/s"),
        ("created", moment(batch.created_at)),
        ("finished", moment(batch.finished_at)),
    ]
    if batch.finished_at is not None:
        facts.append(("took", span((batch.finished_at - batch.created_at).total_seconds())))
    if batch.error is not None:
        facts.append(("error", batch.error.detail))
    return facts
