"""A server's examination of itself and of what is beside it: every part asked at the same time, then causes ranked.

Runs in a server, which knows its models; or, where none answers, in the command ``mlp doctor`` beside it.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from mlp import __version__
from mlp.api import fleet_findings, probes, slow_stages
from mlp.api.fleet_findings import Fleet
from mlp.api.probes import Reply
from mlp.api.reaching import NoAnswer, Trouble, asked_together
from mlp.api.remedies import remedy_of
from mlp.client.examination import Cause, Component, Examination, Status
from mlp.config import Settings
from mlp.errors import DatabaseUnavailable
from mlp.inference.spool import backlog_bytes
from mlp.jobs.queues import Queues
from mlp.jobs.workers import WorkerRegister
from mlp.stack import Places, open_database

#: A program that is asked twice, as Prometheus is, may take the time-out twice; nobody waits longer.
_ALL_SECONDS = probes.TIMEOUT_SECONDS + 0.5
_MEBIBYTE = 1 << 20
FREE_BYTES_WARNING = 1024 * _MEBIBYTE
FREE_BYTES_FAILED = 256 * _MEBIBYTE

#: Every kind of cause, in an order in which none stands before what may have led to it.
KINDS = (
    "disk", "database", "schema", "api", "broker", "cache", "versions", "worker", "pause", "queue", "publishing",
    "backlog", "spool", "model", "stage", "jobs", "prometheus", "grafana", "traefik",
)  # fmt: skip
#: What a cause may lead to, beyond its own kind.
_LEADS_TO = {
    "disk": {"database", "broker", "spool", "model"},
    "database": {"schema", "api", "worker", "spool"},
    "schema": {"api", "worker"},
    "broker": {"publishing", "backlog"},
    "versions": {"worker", "model", "stage", "jobs"},
    "worker": {"queue", "backlog", "stage"},
    "pause": {"backlog"},
    "model": {"jobs"},
    "stage": {"backlog"},
}
_SEVERITY = list(Status)


def examine(settings: Settings, models: Mapping[str, Any] | None, *, server_trouble: str | None = None) -> Examination:
    """All that can be found out within some seconds; raises for nothing that is away.

    Args:
        models: The state of each model, as a server's check_ready() says it; None where no server was asked.
        server_trouble: Why no server was asked; None if the server itself is asking.
    """
    is_stack = settings.has_broker
    components: list[Component] = []
    causes: list[Cause] = []
    answers = asked_together(_questions(settings), _ALL_SECONDS)
    _judge_api(components, causes, server_trouble)
    for name, answer in answers.items():
        if isinstance(answer, Reply | NoAnswer) and name not in ("fleet", "stages"):
            _judge_program(name, answer, components, causes)
    _judge_fleet(answers, components, causes, is_stack=is_stack)
    for component, cause in (*_disks(settings), _spool(settings), *_models(models)):
        components.append(component)
        causes.extend([cause] if cause is not None else [])
    return Examination(is_stack, components, ranked(causes))


def ranked(causes: list[Cause]) -> list[Cause]:
    """The causes, the most urgent first; one that may have led to a worse one is as urgent, and stands before it."""
    urgency = {id(cause): _SEVERITY.index(cause.status) for cause in causes}
    for cause in sorted(causes, key=lambda each: KINDS.index(each.kind), reverse=True):
        effects = [each for each in causes if each.kind in _LEADS_TO.get(cause.kind, ())]
        urgency[id(cause)] = min(urgency[id(each)] for each in (cause, *effects))
    return sorted(causes, key=lambda each: (urgency[id(each)], KINDS.index(each.kind)))


def _questions(settings: Settings) -> dict[str, Callable[[], Any]]:
    asked: dict[str, tuple[object, Callable[[Settings], Any]]] = {
        "database": (True, probes.ask_database),
        "broker": (settings.has_broker, probes.ask_broker),
        "cache": (settings.has_bell, probes.ask_cache),
        "prometheus": (settings.prometheus_url, probes.ask_prometheus),
        "grafana": (settings.grafana_url, probes.ask_grafana),
        "traefik": (settings.traefik_url, probes.ask_traefik),
        "fleet": (True, _ask_fleet),
        "stages": (settings.prometheus_url, _ask_stages),
    }
    return {name: partial(ask, settings) for name, (is_named, ask) in asked.items() if is_named}


def _ask_fleet(settings: Settings) -> Fleet:
    hurried = settings.model_copy(update={"database_timeout_seconds": probes.TIMEOUT_SECONDS})
    with closing(open_database(hurried)) as database:
        queues = Queues(database, settings)
        try:
            return Fleet(
                WorkerRegister(database).list_workers(),
                queues.list_queues(),
                queues.list_failures(fleet_findings.FAILURES_SECONDS),
            )
        except DatabaseUnavailable as error:
            raise NoAnswer(Trouble.OTHER, error.message) from error


def _ask_stages(settings: Settings) -> list[Cause]:
    url = settings.prometheus_url or ""
    return [*slow_stages.slow_stages(url), *slow_stages.mixed_releases(url)]


def _judge_api(components: list[Component], causes: list[Cause], trouble: str | None) -> None:
    if trouble is None:
        components.append(Component("api", Status.OK, __version__))
        return
    components.append(Component("api", Status.FAILED, detail=trouble))
    remedy = "docker compose up -d api; docker compose logs --tail 50 api"
    causes.append(Cause("api", "api", Status.FAILED, trouble, remedy))


def _judge_program(name: str, answer: Reply | NoAnswer, components: list[Component], causes: list[Cause]) -> None:
    if isinstance(answer, NoAnswer):
        components.append(Component(name, Status.FAILED, detail=answer.detail))
        remedy = remedy_of(name, answer.trouble)
        causes.append(Cause(name, name, Status.FAILED, answer.detail, remedy))
        return
    status = Status.OK if not answer.trouble else Status.FAILED if name == "database" else Status.WARNING
    detail = answer.trouble or answer.detail
    components.append(Component(name, status, answer.version, answer.latency_ms, detail))
    if answer.trouble and name == "database":
        remedy = "docker compose run --rm migrate" if answer.detail == "postgresql" else "mlp db upgrade"
        causes.append(Cause("schema", "schema", Status.FAILED, answer.trouble, remedy))
    elif answer.trouble:
        causes.append(
            Cause(name, name, status, answer.trouble, "docker compose ps; docker compose logs --tail 50 " + name)
        )


def _judge_fleet(
    answers: Mapping[str, Any], components: list[Component], causes: list[Cause], *, is_stack: bool
) -> None:
    fleet = answers["fleet"]
    if isinstance(fleet, Fleet):
        components.extend(fleet_findings.components_of(fleet))
        causes.extend(fleet_findings.causes_of(fleet, is_stack=is_stack))
        if is_stack and not any(worker.is_live for worker in fleet.workers):
            components.append(Component("worker", Status.FAILED, detail="none lives"))
    elif not isinstance(answers["database"], NoAnswer) and not answers["database"].trouble:
        detail = f"workers and queues could not be read: {fleet.detail}"
        components.append(Component("worker", Status.WARNING, detail=detail))
    elif is_stack:
        detail = "not known: the register of workers is in the database"
        components.append(Component("worker", Status.NOTE, detail=detail))
    stages = answers.get("stages")
    if isinstance(stages, list):
        causes.extend(stages)


def _disks(settings: Settings) -> Iterator[tuple[Component, Cause | None]]:
    """Each disk on which something of the data folder lies, once."""
    places = Places(settings.folder)
    seen: set[int] = set()
    for path in (settings.folder, places.artefacts, places.spool):
        if not path.is_dir() or path.stat().st_dev in seen:
            continue
        seen.add(path.stat().st_dev)
        free_bytes = shutil.disk_usage(path).free
        detail = f"{free_bytes // _MEBIBYTE:,} MiB free at {path}"
        if free_bytes >= FREE_BYTES_WARNING:
            yield Component("disk", Status.OK, detail=detail), None
            continue
        status = Status.FAILED if free_bytes < FREE_BYTES_FAILED else Status.WARNING
        remedy = "make room: docker system df; docker image prune; lower MLP_RETENTION_DAYS in .env"
        yield (
            Component("disk", status, detail=f"only {detail}"),
            Cause("disk", str(path), status, f"only {detail}", remedy),
        )


def _spool(settings: Settings) -> tuple[Component, Cause | None]:
    waiting_bytes = backlog_bytes(Places(settings.folder).spool)
    detail = f"{waiting_bytes // _MEBIBYTE:,} MiB of at most {settings.spool_bytes_max // _MEBIBYTE:,}"
    if waiting_bytes <= settings.spool_bytes_max / 2:
        return Component("spool", Status.OK, detail=detail), None
    remedy = "see that the database answers, since the spool is emptied into it: docker compose ps database"
    return (
        Component("spool", Status.WARNING, detail=detail),
        Cause("spool", "spool", Status.WARNING, f"recorded inferences pile up: {detail}", remedy),
    )


def _models(models: Mapping[str, Any] | None) -> Iterator[tuple[Component, Cause | None]]:
    if models is None:
        yield Component("models", Status.NOTE, detail="not known: no server was asked"), None
        return
    unwell = {name: state for name, state in models.items() if state["status"] != "ready"}
    loading = [name for name, state in unwell.items() if state["detail"] == "loading"]
    broken = {name: state for name, state in unwell.items() if name not in loading}
    detail = f"{len(models) - len(unwell)} of {len(models)} ready" if models else "none yet"
    if loading:
        detail += f", {len(loading)} loading"
    yield Component("models", Status.FAILED if broken else Status.OK, detail=detail), None
    for name, state in broken.items():
        reason = f"version {state['version']}: {state['detail']}"
        component = Component(f"model {name}", Status.FAILED, state["version"], detail=state["detail"])
        yield component, Cause("model", name, Status.FAILED, reason, f"mlp models rollback {name}")
