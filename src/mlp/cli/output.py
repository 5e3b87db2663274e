"""What a command prints: results on standard output as tables or JSON, prose and progress on standard error.

Tables are text without frames that reads well in 80 columns and without colour. Rich is imported when one is drawn.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: A word up to this length stays whole in a column that is folded, as the kind of a job does; a path may be broken.
WORD_CHARACTERS_KEPT = 24
_GAP_CHARACTERS = 2
#: Says how far long work is: steps done, steps in all or None, and what is being done or "" for no change.
ReportProgress = Callable[[float, float | None, str], None]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: Printed in capitals.
        align: Numbers stand at the right.
        is_folded: May go over several lines; all other columns keep to one, and are never cut.
    """

    title: str
    align: Literal["left", "right"] = "left"
    is_folded: bool = False


def number(title: str) -> Column:
    """A column of numbers."""
    return Column(title, align="right")


class Output:
    """Standard output and standard error of one command.

    Args:
        is_json: The result is printed as JSON; tables, prose and progress are left out.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json

    @property
    def is_terminal(self) -> bool:
        """Whether someone looks at the result as it is printed."""
        return sys.stdout.isatty()

    def json(self, document: Any) -> None:
        """Prints a document, results of the client among its values, as indented JSON."""
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")

    def line(self, text: str = "") -> None:
        """Prints a line of the result exactly as it is: never wrapped, so that it can be pasted."""
        sys.stdout.write(text + "\n")

    def note(self, text: str) -> None:
        """Tells the reader something that is not the result; left out with --json."""
        if not self.is_json:
            sys.stderr.write(text + "\n")

    def warn(self, text: str) -> None:
        """Tells the reader what is wrong but not fatal, also with --json: it goes to standard error."""
        sys.stderr.write(f"Warning: {text}\n")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table with a line of titles; the cells are shown as they are.

        What is too wide for the terminal makes the line longer: an id that is cut cannot be copied.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, _GAP_CHARACTERS, 0, 0), header_style="bold")
        widths = [_width_min(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                Text(column.title.upper()),
                justify=column.align,
                no_wrap=not column.is_folded,
                overflow="fold",
                min_width=width,
            )
        for row in rows:
            table.add_row(*map(Text, row))
        self._print(table, width_min=sum(widths) + _GAP_CHARACTERS * len(widths))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Prints names with their values, one a line; long values go over several lines."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in facts:
            table.add_row(Text(name), Text(value))
        self._print(table)

    def _print(self, what: Any, *, width_min: int = 0) -> None:
        console = _console(sys.stdout)
        console.width = max(console.width, width_min)
        with console.capture() as captured:
            console.print(what)
        # Rich pads each line to the width of the table, which a diff or a paste shows.
        sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))

    @contextmanager
    def progress(self, what: str, *, is_beside_result: bool = False) -> Iterator[ReportProgress]:
        """Shows how far long work is on a terminal, and wipes it away at the end; elsewhere nothing.

        Args:
            is_beside_result: The result is printed meanwhile, and would be torn apart on the same terminal.
        """
        if self.is_json or not sys.stderr.isatty() or (is_beside_result and self.is_terminal):
            yield lambda _done, _total, _message: None
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=_console(sys.stderr), transient=True) as bars:
            bar = bars.add_task(_escaped(what), total=None)

            def report(done: float, total: float | None, message: str) -> None:
                bars.update(bar, completed=done, total=total, description=_escaped(message if message else what))

            yield report


def _width_min(column: Column, cells: Sequence[str]) -> int:
    """Characters that a column needs: its longest cell, or its longest word where it may be folded."""
    from rich.cells import cell_len

    texts = [column.title.upper(), *cells]
    if not column.is_folded:
        return max(map(cell_len, texts))
    return min(WORD_CHARACTERS_KEPT, max((cell_len(word) for text in texts for word in text.split()), default=0))


def _console(file: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=file)  # 80 columns where there is no terminal and COLUMNS says nothing


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def listed(parts: Iterable[str]) -> str:
    """The parts with commas between them, or ``-`` where there are none."""
    return ", ".join(parts) or "-"


def compact_json(document: Any) -> str:
    """A document as JSON on one line."""
    import msgspec

    return msgspec.json.encode(document).decode()


def count(value: int) -> str:
    """A whole number with its thousands apart: ``27,004``."""
    return f"{value:,}"


def decimal(value: float | None, places: int = 4) -> str:
    """A number with as many decimal places, or ``-`` where there is none."""
    return "-" if value is None else f"{value:.{places}f}"


def percent(ratio: float | None) -> str:
    """A ratio of 0 to 1 as ``98.7%``, or ``-`` where there is none."""
    return "-" if ratio is None else f"{100 * ratio:.1f}%"


def size(size_bytes: int) -> str:
    """A size in the unit in which it has one to three digits before the point: ``4.1 MB``, 1 MB = 10^6 bytes."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(at: datetime | None) -> str:
    """A moment to the second in UTC: ``2013-03-01 11:00:00Z``, or ``-`` where there is none."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def span(seconds: float | None) -> str:
    """A length of time in at most two units: ``850 ms``, ``12.5 s``, ``3 h 20 min``, ``1 d``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    first = next(index for index, (length, _name) in enumerate(units) if whole >= length)
    length, name = units[first]
    text = f"{whole // length} {name}"
    if first + 1 < len(units):
        rest = whole % length // units[first + 1][0]
        text += f" {rest} {units[first + 1][1]}" if rest else ""
    return text
