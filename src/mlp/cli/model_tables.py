"""Models, versions and signatures as tables and facts."""

from collections.abc import Sequence
from typing import Any

from mlp.cli.labels import written
from mlp.cli.output import Column, Output, count, listed, moment, number, size, span
from mlp.client.results import AliasMove, Field, Model, Signature, Traffic, Version

#: Categories named in a table; --json has all of them.
CATEGORIES_SHOWN = 6


def print_models(output: Output, models: Sequence[Model]) -> None:
    """One line for each model."""
    rows = [
        (
            model.name,
            model.aliases.get("champion", "-"),
            count(model.versions_count),
            aliases_text(model, besides="champion"),
            traffic_text(model.traffic),
            moment(model.created_at),
        )
        for model in models
    ]
    columns = [
        Column("model", is_folded=True),
        number("champion"),
        number("versions"),
        Column("other aliases", is_folded=True),
        Column("traffic", is_folded=True),
        Column("created"),
    ]
    output.table(columns, rows)


def aliases_text(model: Model, besides: str | None = None) -> str:
    """The aliases with their versions: ``challenger=4, stable=2``."""
    return listed(f"{alias}={version}" for alias, version in sorted(model.aliases.items()) if alias != besides)


def traffic_text(traffic: Traffic) -> str:
    """How the traffic splits: ``champion 90%, challenger 10%, shadow next``; ``-`` where the champion answers all."""
    parts = []
    if traffic.canary is not None:
        parts += [f"champion {100 - traffic.canary.percent:g}%", f"{traffic.canary.alias} {traffic.canary.percent:g}%"]
    if traffic.shadow is not None:
        parts.append(f"shadow {traffic.shadow}")
    return listed(parts)


def print_model(output: Output, model: Model, versions: Sequence[Version]) -> None:
    """All about a model, and one line for each of its versions."""
    output.facts(
        [
            ("model", model.name),
            ("aliases", aliases_text(model)),
            ("traffic", traffic_text(model.traffic)),
            ("label horizon", span(model.settings.label_horizon_seconds)),
            ("recording", model.settings.record),
            ("created", moment(model.created_at)),
        ]
    )
    output.line()
    rows = [
        (each.version, each.runtime, each.task, listed(each.aliases), size(each.size_bytes), moment(each.created_at))
        for each in versions
    ]
    columns = [
        number("version"),
        Column("runtime"),
        Column("task"),
        Column("aliases", is_folded=True),
        number("size"),
        Column("created"),
    ]
    output.table(columns, rows)


def print_version(output: Output, version: Version) -> None:
    """All about one version."""
    environment = version.environment
    packages = [f"{name} {number_}" for name, number_ in sorted(environment.packages.items())]
    python = [] if environment.python is None else [f"Python {environment.python}"]
    output.facts(
        [
            ("model", version.model),
            ("version", version.version),
            ("aliases", listed(version.aliases)),
            ("runtime", version.runtime),
            ("size", size(version.size_bytes)),
            ("sha-256", version.digest),
            ("environment", listed([*python, *packages])),
            ("metrics", _members(version.metrics)),
            ("lineage", _members(version.lineage)),
            ("drift reference", "yes" if version.has_reference else "no: drift is not measured"),
            ("created", moment(version.created_at)),
        ]
    )
    output.line()
    print_signature(output, version.signature)


def print_signature(output: Output, signature: Signature) -> None:
    """The inputs, one a line, and what comes out."""
    rows = [
        (field.name, _type_text(field), "yes" if field.nullable else "no", _allowed(field))
        for field in signature.inputs
    ]
    columns = [
        Column("input", is_folded=True),
        Column("type"),
        Column("may be null"),
        Column("allowed", is_folded=True),
    ]
    output.table(columns, rows)
    output.line()
    outputs = [f"{field.name} {_type_text(field)}" for field in signature.outputs]
    facts = [("task", signature.task), ("outputs", listed(outputs))]
    if signature.classes is not None:
        facts.append(("classes", listed(map(written, signature.classes))))
    if signature.positive_class is not None:
        facts.append(("positive class", written(signature.positive_class)))
    output.facts([*facts, ("other columns", f"{signature.extra_columns}d")])


def _type_text(field: Field) -> str:
    return field.dtype + (
        f"[{', '.join('*' if size == -1 else str(size) for size in field.shape)}]" if field.shape else ""
    )


def _allowed(field: Field) -> str:
    parts = []
    if field.minimum is not None:
        parts.append(f"at least {field.minimum:g}")
    if field.maximum is not None:
        parts.append(f"at most {field.maximum:g}")
    if field.categories is not None:
        shown = ", ".join(field.categories[:CATEGORIES_SHOWN])
        more = len(field.categories) - CATEGORIES_SHOWN
        others = "others are counted" if field.unknown == "count" else "others are refused"
        parts.append(f"{shown}{f' and {more} more' if more > 0 else ''}; {others}")
    return ", ".join(parts)


def print_history(output: Output, moves: Sequence[AliasMove]) -> None:
    """One line for each move of an alias, the newest first."""
    rows = [
        (moment(move.at), move.alias, move.from_version or "-", move.to_version or "-", move.kind, move.reason)
        for move in moves
    ]
    columns = [
        Column("at"),
        Column("alias"),
        number("from"),
        number("to"),
        Column("kind"),
        Column("reason", is_folded=True),
    ]
    output.table(columns, rows)


def _members(document: dict[str, Any]) -> str:
    return listed(f"{name}={written(value)}" for name, value in document.items())
