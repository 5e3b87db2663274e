"""Arguments and options that several commands take, so that they are called and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

from mlp.cli.formats import RowFormat

ModelArgument = Annotated[str, typer.Argument(metavar="NAME", help="The model.", show_default=False)]
RowsArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Rows: CSV, JSON or JSON lines; - is standard input.", show_default=False)
]
KeyOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with your own key of each row.", show_default=False)
]
AtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When it happened, for backfills: 2026-03-01T12:00:00Z.", show_default=False),
]
FormatOption = Annotated[
    RowFormat | None, typer.Option("--format", help="Format, if the name does not say it.", show_default=False)
]
DelimiterOption = Annotated[
    str | None, typer.Option(metavar="CHARACTER", help="Between the cells of a CSV.", show_default=False)
]
MissingOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Cell of a CSV that means missing, such as NA.", show_default=False),
]
IgnoreExtraOption = Annotated[
    bool, typer.Option("--ignore-extra", help="Leave out columns of a CSV that are no inputs.")
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.", show_default=False)]
