"""``mlp models alias|promote|rollback|traffic|history``: which version answers, and since when."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.arguments import ModelArgument, ReasonOption
from mlp.cli.session import Session

if TYPE_CHECKING:
    from mlp.client.results import Model

VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="Number or alias of a version.", show_default=False)
]


def alias(
    session: Session,
    name: ModelArgument,
    alias_name: Annotated[str, typer.Argument(metavar="ALIAS", help="Such as challenger.", show_default=False)],
    version: VersionArgument,
    reason: ReasonOption = "",
) -> None:
    """Make an alias name a version."""
    with session.client() as client:
        model = client.models.alias(name, alias_name, version, reason=reason)
    _moved(session, model, alias_name)


def promote(session: Session, name: ModelArgument, version: VersionArgument, reason: ReasonOption = "") -> None:
    """Make a version the champion, which answers; it is loaded first."""
    with session.client() as client:
        model = client.models.promote(name, version, reason=reason)
    _moved(session, model, "champion")


def rollback(session: Session, name: ModelArgument, reason: ReasonOption = "") -> None:
    """Make champion what it was before its last move."""
    with session.client() as client:
        model = client.models.rollback(name, reason=reason)
    _moved(session, model, "champion")


def _moved(session: Session, model: "Model", alias_name: str) -> None:
    if session.output.is_json:
        session.output.json(model)
    else:
        session.output.line(f"{alias_name} of {model.name} is version {model.aliases[alias_name]}")


def traffic(
    session: Session,
    name: ModelArgument,
    canary: Annotated[
        str | None, typer.Option(metavar="ALIAS=PERCENT", help="Its share, as challenger=10.", show_default=False)
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Is asked too, and not heard.", show_default=False)
    ] = None,
    no_canary: Annotated[bool, typer.Option("--no-canary", help="Without canary from now on.")] = False,
    no_shadow: Annotated[bool, typer.Option("--no-shadow", help="Without shadow from now on.")] = False,
) -> None:
    """Split the requests that name no version, or show the split.

    Without options it shows how they split.
    """
    if (canary is not None and no_canary) or (shadow is not None and no_shadow):
        raise typer.BadParameter("an option and its --no- form contradict each other")
    share = None if canary is None else canary_share(canary)
    with session.client() as client:
        model = client.models.show(name)
        if share is not None or shadow is not None or no_canary or no_shadow:
            now = model.traffic
            kept = None if now.canary is None or no_canary else (now.canary.alias, now.canary.percent)
            model = client.models.traffic(
                name,
                canary=kept if share is None else share,
                shadow=(None if no_shadow else now.shadow) if shadow is None else shadow,
            )
    if session.output.is_json:
        session.output.json(model)
        return
    from mlp.cli.model_tables import traffic_text

    text = traffic_text(model.traffic)
    session.output.line(f"traffic of {name}: {'champion 100%' if text == '-' else text}")


def canary_share(text: str) -> tuple[str, float]:
    """Alias and percentage of a canary, from ``challenger=10``."""
    alias_name, _equals, percent_text = text.rpartition("=")
    try:
        percent = float(percent_text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not alias_name or not 0 <= percent <= 100:
        raise typer.BadParameter(f'--canary "{text}" is not an alias and a percentage, such as challenger=10')
    return alias_name, percent


def history(session: Session, name: ModelArgument) -> None:
    """List the moves of a model's aliases, the newest first."""
    with session.client() as client:
        moves = client.models.history(name)
    if session.output.is_json:
        session.output.json({"moves": moves})
        return
    from mlp.cli.model_tables import print_history

    print_history(session.output, moves)
