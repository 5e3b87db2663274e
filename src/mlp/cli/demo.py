"""``mlp demo``: the product on real data."""

from datetime import date, datetime
from typing import Annotated

import typer

from mlp.cli.session import Session


def flights(
    session: Session,
    full: Annotated[bool, typer.Option("--full", help="Replay March to December instead of March to May.")] = False,
    january: Annotated[
        bool, typer.Option("--january", help="Replay January, which the model has seen: nothing should drift.")
    ] = False,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The last day replayed.", show_default=False),
    ] = None,
    days: Annotated[int | None, typer.Option(metavar="COUNT", help="Days replayed.", min=1, show_default=False)] = None,
    days_per_second: Annotated[
        float | None,
        typer.Option(
            "--speed", metavar="DAYS", help="Simulated days per second, else all that goes.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Port of the server, else 4789 or a free one.", show_default=False),
    ] = None,
    stay: Annotated[
        bool | None,
        typer.Option("--stay/--no-stay", help="Keep the server up afterwards, else on a terminal.", show_default=False),
    ] = None,
) -> None:
    """Replay the flights that left New York in 2013, and report.

    A server with a model of their delays answers them day by day, and learns afterwards what was true.
    Its folder is mlp-demo unless --folder or MLP_FOLDER says another; "mlp serve --folder mlp-demo" goes on later.
    """
    from mlp.demo.flights import FlightsDemoOptions, run_flights_demo

    session.refuse_url("the demo starts a server of its own")
    if session.output.is_json:
        raise typer.BadParameter('the demo tells a story; "mlp quality flights --json" has its numbers')
    settings = session.settings
    options = FlightsDemoOptions(
        folder=settings.folder if "folder" in settings.model_fields_set else FlightsDemoOptions().folder,
        port=port,
        days_per_second=days_per_second,
        until=None if until is None else date(until.year, until.month, until.day),
        days=days,
        full=full,
        january=january,
        stay=stay,
    )
    exit_code = run_flights_demo(options)
    if exit_code != 0:
        raise typer.Exit(exit_code)
