"""``mlp predict``: predictions for the rows of a file or of standard input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlp.cli.arguments import (
    AtOption,
    DelimiterOption,
    FormatOption,
    IgnoreExtraOption,
    KeyOption,
    MissingOption,
    ModelArgument,
    RowsArgument,
)
from mlp.cli.formats import PredictionFormat, RowFormat
from mlp.cli.output import Output, count
from mlp.cli.session import Session
from mlp.errors import MLPError

if TYPE_CHECKING:
    from mlp.cli.predictions import PredictionWriter
    from mlp.cli.request_rows import RequestReader
    from mlp.cli.row_files import RowFile
    from mlp.client.results import Answer

#: Rows in one request: answered within a second by most models, and little is lost when one fails.
ROWS_PER_REQUEST = 1000

#: Asks for the predictions of rows in JSON form, with their keys or None.
Ask = Callable[[list[Any], list[str] | None], "Answer"]


def predict(
    session: Session,
    name: ModelArgument,
    file: RowsArgument,
    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Number or alias, else by the model's traffic.", show_default=False),
    ] = None,
    key: KeyOption = None,
    at: AtOption = None,
    output: Annotated[
        PredictionFormat | None,
        typer.Option(help="Else a table on a terminal, and the input's format elsewhere.", show_default=False),
    ] = None,
    row_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    missing: MissingOption = None,
    ignore_extra: IgnoreExtraOption = False,
) -> None:
    """Predict the rows of a file.

    The cells of a CSV are read in the types of the model's signature; what does not fit is named with its line.
    """
    from mlp.cli.predictions import make_writer
    from mlp.cli.request_rows import RequestReader
    from mlp.cli.row_files import opened

    with opened(file, row_format, delimiter) as rows, session.client() as client:
        reader = RequestReader(rows, key)
        if reader.needs_signature:
            signature = client.models.signature(name, "champion" if version is None else version)
            reader.fit(signature, is_extra_ignored=ignore_extra, missing=missing or ())
        writer = make_writer(_format(session.output, output, rows.format), session.output)

        def ask(values: list[Any], keys: list[str] | None) -> "Answer":
            return client.predict(name, values, keys=keys, version=version, at=at)

        _predict_all(session.output, rows, reader, ask, writer)


def _format(output: Output, asked: PredictionFormat | None, read: RowFormat) -> PredictionFormat:
    if output.is_json:
        return PredictionFormat.JSON
    if asked is not None:
        return asked
    return PredictionFormat.TABLE if output.is_terminal else PredictionFormat(read.value)


def _predict_all(
    output: Output, file: "RowFile", reader: "RequestReader", ask: Ask, writer: "PredictionWriter"
) -> None:
    from mlp.cli.request_rows import errors_in_the_file

    rows_done = 0
    try:
        with output.progress("predicting", is_beside_result=True) as report_progress:
            for chunk in file.chunks(ROWS_PER_REQUEST):
                values, keys = reader.read(chunk)
                with errors_in_the_file(file, chunk):
                    answer = ask(values, keys)
                writer.write(answer)
                rows_done += len(chunk)
                report_progress(rows_done, None, f"{count(rows_done)} rows")
    except MLPError:
        if rows_done:
            output.note(f"the first {count(rows_done)} rows were predicted")
        raise
    writer.end()
