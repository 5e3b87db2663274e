"""What the stack's ``.env`` holds: every variable that the Compose files read, and the strong one of ``mlp init``.

``deploy/init`` writes the same file in a shell, for machines that have Docker alone; a test compares the two. What a
variable means to a process is said in ``mlp.config``.
"""

import secrets
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass

#: Letters and digits alone: nothing of them needs escaping in a URL, in a .env file, in Compose or in a shell.
SECRET_ALPHABET = string.ascii_letters + string.digits
#: 32 of 62 characters are 190 bits.
SECRET_CHARACTERS = 32
#: The address that the published ports listen on unless the file says otherwise.
LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"

DrawSecret = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the file.

    Attributes:
        value: What the first file has; of an optional variable, what counts while it is not set.
        about: One line that says what it is for.
        is_secret: The strong file has a random one in its place.
    """

    name: str
    value: str
    about: str
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Variables that belong together, under one heading."""

    title: str
    variables: tuple[Variable, ...]


#: The file that brings the whole stack up on one machine, on loopback, without a key.
REQUIRED: tuple[Variable, ...] = (
    Variable("DOMAIN", "localhost", "Domain of the machine; its sub-domains lead to the dashboards."),
    Variable("CELERY_BROKER_URL", "pyamqp://rabbitmq/", "RabbitMQ; with user and password if it has any."),
    Variable("CELERY_BACKEND_URL", "redis://redis/", "Redis: the bell between processes, and their cache."),
    Variable("CELERY_QUEUE", "", "Queues that a worker takes, comma-separated; empty: all that settings name."),
    Variable("DATABASE_SCHEMA", "mlpdb", "Name of the database."),
    Variable("DATABASE_USER", "mlp", "Its owner."),
    Variable("DATABASE_PASS", "mlp", "The owner's password, read when the volume is first made.", is_secret=True),
    Variable("DATABASE_HOST", "database", "Where PostgreSQL is."),
    Variable(
        "DATABASE_URL",
        "postgresql://${DATABASE_USER}:${DATABASE_PASS}@${DATABASE_HOST}/${DATABASE_SCHEMA}",
        "All of it as one address.",
    ),
    Variable(
        "GRAFANA_ADMIN_PASS",
        "grafana",
        "Password of user admin in Grafana, and of the pages of Prometheus, RabbitMQ and Traefik.",
        is_secret=True,
    ),
)

OPTIONAL: tuple[Group, ...] = (
    Group(
        "The door",
        (
            Variable("BIND_ADDRESS", LOOPBACK, "Address that the ports listen on; 0.0.0.0 needs MLP_API_KEY."),
            Variable("HTTP_PORT", "80", "Port of Traefik, with the sub-domains."),
            Variable("HTTPS_PORT", "443", "Port for HTTPS, with docker-compose.tls.yaml."),
            Variable("API_PORT", "4789", "Port of the API itself."),
            Variable("MLP_API_KEY", "", "Key that every request must carry but health and metrics.", is_secret=True),
            Variable(
                "MLP_WEBHOOK_SECRET",
                "",
                "Signs the calls at a job's end, whsec_ and 32 letters of Base64; without it jobs have no webhooks.",
                is_secret=True,
            ),
            Variable(
                "MLP_WEBHOOK_PRIVATE_ADDRESSES", "false", "Let webhooks call private addresses, as in this network."
            ),
            Variable("ACME_EMAIL", "", "Where Let's Encrypt writes to, with docker-compose.tls.yaml."),
        ),
    ),
    Group(
        "Passwords inside",
        (
            Variable("REDIS_PASS", "", "Password of Redis; the same must be in CELERY_BACKEND_URL.", is_secret=True),
            Variable(
                "GRAFANA_DATABASE_PASS",
                "",
                "Password of role mlp_reader, which may read only; empty: GRAFANA_ADMIN_PASS.",
                is_secret=True,
            ),
        ),
    ),
    Group(
        "Work",
        (
            Variable("MLP_QUEUES", "", "Further queues besides high, default and low, comma-separated."),
            Variable("MLP_QUEUE_TYPE", "quorum", "Kind of RabbitMQ's queues: quorum or classic."),
            Variable("MLP_WORKER_PROCESSES", "2", "Processes of one worker, each with its own models."),
            Variable("MLP_RECORD", "on", "Whether predictions are recorded: on, durable (with fsync) or off."),
            Variable("MLP_RETENTION_DAYS", "90", "Days that recorded inferences and feedback are kept."),
            Variable("MLP_LOG_LEVEL", "info", "Least severe line logged: debug, info, warning or error."),
            Variable("MLP_DRAIN_SECONDS", "4", "Time that a stopping API goes on answering, until Traefik knows."),
        ),
    ),
    Group(
        "Limits",
        (
            Variable("MLP_BODY_BYTES_MAX", "67108864", "Largest body of a prediction, bytes."),
            Variable("MLP_UPLOAD_BYTES_MAX", "4294967296", "Largest uploaded version, bytes."),
            Variable("MLP_PREDICT_TIMEOUT_SECONDS", "30", "Longest wait for a prediction."),
            Variable("MLP_BATCH_ROWS_MAX", "256", "Rows gathered into one call of a model."),
            Variable("MLP_LOADED_VERSIONS_MAX", "32", "Versions without alias kept in memory."),
            Variable("MLP_MODEL_THREADS", "1", "Threads of one model call; 0: as many as there are cores."),
            Variable("MLP_SPOOL_BYTES_MAX", "2147483648", "Disk that the spool of one process may take, bytes."),
            Variable("MLP_LABEL_HORIZON_SECONDS", "86400", "Age at which a prediction's label counts as complete."),
            Variable("MLP_JOBS_QUEUED_MAX", "1000000", "Queued jobs before 429 is answered."),
            Variable("MLP_JOBS_BULK_MAX", "10000", "Jobs that one request may submit."),
            Variable("MLP_JOB_LEASE_SECONDS", "15", "Time after which a silent worker loses its job."),
            Variable("MLP_JOB_RETENTION_DAYS", "7", "Days that finished jobs and results are kept."),
            Variable("MLP_DATABASE_CONNECTIONS_MAX", "10", "Connections that one process may hold to PostgreSQL."),
        ),
    ),
    Group(
        "Images",
        (
            Variable("MLP_RUNTIMES", "sklearn lightgbm onnx", "Frameworks built into both images."),
            Variable("MLP_TAG", "latest", "Tag of both images."),
            Variable("COMPOSE_PROJECT_NAME", "mlp", "Name before all containers, networks and volumes."),
        ),
    ),
    Group(
        "Alerts, with --profile alerting",
        (
            Variable("ALERT_WEBHOOK_URL", "", "Address that alerts are posted to; it may hold a secret."),
            Variable("ALERT_EMAIL", "", "Addresses that alerts are mailed to, comma-separated."),
            Variable("ALERT_SMTP_HOST", "", "Mail server with its port, such as smtp.example.org:587."),
            Variable("ALERT_SMTP_FROM", "", "Sender of the mails."),
            Variable("ALERT_SMTP_USER", "", "User at the mail server, if it asks for one."),
            Variable("ALERT_SMTP_PASS", "", "Password at the mail server."),
        ),
    ),
    Group(
        "Room: a container that needs more memory is ended and started again",
        (
            Variable("API_MEMORY", "2g", "Memory of one api."),
            Variable("WORKER_MEMORY", "2g", "Memory of one worker."),
            Variable("DATABASE_MEMORY", "2g", "Memory of PostgreSQL."),
            Variable("RABBITMQ_MEMORY", "1g", "Memory of RabbitMQ."),
            Variable("PROMETHEUS_MEMORY", "1g", "Memory of Prometheus."),
            Variable("GRAFANA_MEMORY", "512m", "Memory of Grafana."),
            Variable("DATABASE_CONNECTIONS", "300", "Connections that PostgreSQL allows; an api takes up to 10."),
            Variable("PROMETHEUS_RETENTION", "30d", "How long Prometheus keeps its numbers."),
            Variable("PROMETHEUS_RETENTION_SIZE", "5GB", "Disk that they may take; the older ones go first."),
        ),
    ),
    Group(
        "Ports on loopback, with docker-compose.dev.yaml",
        (
            Variable("DATABASE_PORT", "5432", "PostgreSQL."),
            Variable("REDIS_PORT", "6379", "Redis."),
            Variable("RABBITMQ_PORT", "5672", "RabbitMQ."),
            Variable("PROMETHEUS_PORT", "9090", "Prometheus."),
            Variable("GRAFANA_PORT", "3000", "Grafana."),
        ),
    ),
)


def all_optional() -> list[Variable]:
    """The optional variables in the order of the file."""
    return [variable for group in OPTIONAL for variable in group.variables]


def example_text() -> str:
    """``.env.example``: what must be set, then everything else as comments with the values that count unset."""
    lines = [
        "# Copy this file to .env and `docker compose up -d` runs on this machine alone, on loopback, without a key.",
        "# For a machine that others reach, `sh deploy/init --domain example.org` writes a .env of random passwords.",
        "#",
        *(f"# {each.name}: {each.about}" for each in REQUIRED),
        *(f"{each.name}={each.value}" for each in REQUIRED),
        "",
        "# All others may be left out. Shown is what counts unless you take the # away and change it.",
    ]
    for group in OPTIONAL:
        lines += ["", f"# --- {group.title}"]
        for each in group.variables:
            lines += [f"# {each.about}", f"#{each.name}={each.value}"]
    return _text(lines)


def draw_secret() -> str:
    """A new random secret."""
    return "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_CHARACTERS))


def strong_text(domain: str, bind_address: str, email: str | None = None, draw: DrawSecret = draw_secret) -> str:
    """A ``.env`` with a random secret for every service.

    Args:
        domain: Checked by the caller, as are the others: they stand in the file as they are.
        bind_address: Where the published ports listen.
        email: The address for Let's Encrypt; None leaves it to be filled in.
        draw: Makes a secret; called once for each.
    """
    lines = [
        "# Every password of this machine's stack: keep this file as you keep keys, and back it up with deploy/backup.",
        "# What each variable means, and the variables that are not here: .env.example.",
        "",
        f"DOMAIN={domain}",
        f"BIND_ADDRESS={bind_address}",
        f"MLP_API_KEY={draw()}",
        # 32 letters and digits are Base64 of 24 bytes, the least that a key may have.
        f"MLP_WEBHOOK_SECRET=whsec_{draw()}",
        "# ACME_EMAIL=" if email is None else f"ACME_EMAIL={email}",
        "",
        f"REDIS_PASS={draw()}",
        f"CELERY_BROKER_URL=pyamqp://mlp:{draw()}@rabbitmq/",
        "CELERY_BACKEND_URL=redis://:${REDIS_PASS}@redis/",
        *_required("CELERY_QUEUE"),
        "",
        *_required("DATABASE_SCHEMA", "DATABASE_USER"),
        f"DATABASE_PASS={draw()}",
        *_required("DATABASE_HOST", "DATABASE_URL"),
        "",
        f"GRAFANA_ADMIN_PASS={draw()}",
        f"GRAFANA_DATABASE_PASS={draw()}",
    ]
    return _text(lines)


def _required(*names: str) -> list[str]:
    values = {each.name: each.value for each in REQUIRED}
    return [f"{name}={values[name]}" for name in names]


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
