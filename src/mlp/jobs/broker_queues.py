"""The queues of the broker: which one a job waits in, which ones there are, and which ones a worker takes.

Priorities are queues of their own, since RabbitMQ's quorum queues know two priorities and Celery's workers take from
several queues in turn. Names as workers are given them: ``mlp.high``, ``mlp.default``, ``mlp.low``, ``mlp.<named>``.
"""

import re

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.jobs.job import DEFAULT_QUEUE
from mlp.jobs.states import Priority

HIGH, DEFAULT, LOW = "mlp.high", "mlp.default", "mlp.low"
PREFIX = "mlp."
#: Queues of jobs that go first wherever they come from: a version that is being added has somebody waiting.
URGENT_QUEUES = frozenset({"registry"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def broker_queue_of(queue: str, priority: int) -> str:
    """The broker's queue of a job with this ``queue`` and ``priority``."""
    if queue in URGENT_QUEUES:
        return HIGH
    if queue != DEFAULT_QUEUE:
        return PREFIX + queue
    if priority > Priority.DEFAULT:
        return HIGH
    return LOW if priority < Priority.DEFAULT else DEFAULT


def all_broker_queues(settings: Settings) -> list[str]:
    """Every queue of this installation, the most urgent first.

    Raises:
        ConfigurationInvalid: ``MLP_QUEUES`` holds what is no name of a queue.
    """
    named = []
    for name in _listed(settings.queues):
        if _NAME.fullmatch(name) is None or name in ("high", "default", "low", *URGENT_QUEUES):
            raise ConfigurationInvalid(
                f"MLP_QUEUES names {name!r}: a queue's name is lower-case letters, digits, - and _, and not one of "
                "high, default, low, registry"
            )
        named.append(PREFIX + name)
    return [HIGH, DEFAULT, *dict.fromkeys(named), LOW]


def taken_queues(settings: Settings) -> list[str]:
    """The queues that a worker with these settings takes, the most urgent first.

    Raises:
        ConfigurationInvalid: ``CELERY_QUEUE`` names a queue that there is not.
    """
    known = all_broker_queues(settings)
    wanted = _listed(settings.worker_queues)
    for name in wanted:
        if name not in known:
            raise ConfigurationInvalid(
                f"CELERY_QUEUE names {name!r}, and there is {', '.join(known)}: name one of these, or add it to "
                "MLP_QUEUES"
            )
    return [name for name in known if not wanted or name in wanted]


def _listed(text: str) -> list[str]:
    # Compose takes the comment behind an empty variable of .env (`CELERY_QUEUE=   # the queues …`) for its value.
    if text.lstrip().startswith("#"):
        return []
    return [name for name in (part.strip() for part in text.split(",")) if name]
