"""One question to each program beside a server: are you there, do you let me in, which version are you.

Each opens a connection of its own, so that a pool that is exhausted or broken cannot hide the answer. The drivers of
RabbitMQ and Redis are imported only where settings name these.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlp.api.reaching import NoAnswer, Trouble, check_reached
from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import ConfigurationInvalid, DatabaseUnavailable, SchemaOutdated
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url

#: Longest wait for one program.
TIMEOUT_SECONDS = 3.0
_PORTS = {"amqp": 5672, "pyamqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379, "http": 80, "https": 443}
#: What the server says at the door: libpq hands on no SQLSTATE (28P01, 28000) of a connection that was refused.
_WRONG_PASSWORD = ("password authentication failed", "no password supplied", "28P01", "28000")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a program said.

    Attributes:
        detail: What else is worth a line.
        trouble: What is wrong although it answers; "" if nothing is.
        document: What it said, for those who want to know more.
    """

    version: str | None
    latency_ms: float
    detail: str = ""
    trouble: str = ""
    document: Any = None


def ask_database(settings: Settings) -> Reply:
    """The reply of the database; ``trouble`` if its schema is not this release's."""
    url = sqlite_url(settings.folder) if settings.database_url is None else settings.database_url.get_secret_value()
    try:
        opened = Database(url, timeout_seconds=TIMEOUT_SECONDS, connections_max=1)
    except ConfigurationInvalid as error:
        raise NoAnswer(Trouble.OTHER, error.message) from error
    with closing(opened) as database:
        if database.url.host:
            check_reached(database.url.host, database.url.port or 5432, TIMEOUT_SECONDS)
        began_at = monotonic()
        try:
            database.check()
        except DatabaseUnavailable as error:
            raise _no_entry(error) from error
        latency_ms = _ms_since(began_at)
        version = ".".join(map(str, database.engine.dialect.server_version_info or ()))
        return Reply(version or None, latency_ms, database.url.get_backend_name(), _schema_trouble(database))


def _no_entry(error: DatabaseUnavailable) -> NoAnswer:
    is_password = any(text in f"{error.message} {error.__cause__}" for text in _WRONG_PASSWORD)
    return NoAnswer(Trouble.PASSWORD if is_password else Trouble.OTHER, error.message)


def _schema_trouble(database: Database) -> str:
    try:
        schema.check(database)
    except SchemaOutdated as error:
        return error.message
    return ""


def ask_broker(settings: Settings) -> Reply:
    """The reply of RabbitMQ, logged in to."""
    assert settings.broker_url is not None, "asked only where settings name a broker"
    try:
        from amqp.exceptions import AccessRefused, AMQPError
        from kombu import Connection
    except ModuleNotFoundError as error:
        raise _not_installed("RabbitMQ", error) from error

    url = settings.broker_url.get_secret_value()
    with Connection(
        url,
        connect_timeout=TIMEOUT_SECONDS,
        transport_options={"read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS},
    ) as connection:
        check_reached(connection.hostname or "localhost", connection.port or _port_of(url), TIMEOUT_SECONDS)
        began_at = monotonic()
        try:
            # Not connection.connect(): that one tries again, and takes longer than we do.
            opened = connection.transport.establish_connection()
        except AccessRefused as error:
            raise NoAnswer(Trouble.PASSWORD, f"RabbitMQ refuses user and password: {error.reply_text}") from error
        except AMQPError as error:
            raise NoAnswer(Trouble.OTHER, f"RabbitMQ refuses the connection: {error}") from error
        except OSError as error:
            raise _broken_off("RabbitMQ", error) from error
        latency_ms = _ms_since(began_at)
        version = opened.server_properties.get("version")
        opened.close()
    return Reply(version, latency_ms)


def ask_cache(settings: Settings) -> Reply:
    """The reply of Redis, logged in to."""
    assert settings.redis_url is not None, "asked only where settings name a Redis"
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError as error:
        raise _not_installed("Redis", error) from error

    url = settings.redis_url.get_secret_value()
    _check_address(url)
    client = redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    with closing(client):
        began_at = monotonic()
        try:
            answer: Any = client.info("server")
        except redis.AuthenticationError as error:
            raise NoAnswer(Trouble.PASSWORD, f"Redis refuses the password: {error}") from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise _broken_off("Redis", error) from error
        except redis.RedisError as error:
            # Of old servers and of proxies the driver does not know every text.
            is_password = any(word in str(error) for word in ("WRONGPASS", "NOAUTH", "AUTH"))
            raise NoAnswer(Trouble.PASSWORD if is_password else Trouble.OTHER, f"Redis says: {error}") from error
    return Reply(answer.get("redis_version"), _ms_since(began_at))


def ask_prometheus(settings: Settings) -> Reply:
    """The reply of Prometheus; ``trouble`` if it cannot scrape a target."""
    reply = _asked_http(f"{settings.prometheus_url}/api/v1/status/buildinfo", lambda build: build["data"]["version"])
    targets = _asked_http(f"{settings.prometheus_url}/api/v1/targets?state=active", lambda _targets: None)
    active = targets.document["data"]["activeTargets"]
    down = [target for target in active if target["health"] == "down"]
    trouble = ""
    if down:
        jobs = ", ".join(sorted({target["labels"]["job"] for target in down}))
        trouble = f"{len(down)} of {len(active)} targets are down: {jobs} ({down[0]['lastError']})"
    return Reply(reply.version, reply.latency_ms, f"{len(active)} targets", trouble)


def ask_grafana(settings: Settings) -> Reply:
    """The reply of Grafana; ``trouble`` if its own database is broken."""
    reply = _asked_http(f"{settings.grafana_url}/api/health", lambda health: health.get("version"))
    state = reply.document.get("database", "ok")
    trouble = "" if state == "ok" else f"its own database is {state}"
    return Reply(reply.version, reply.latency_ms, trouble=trouble)


def ask_traefik(settings: Settings) -> Reply:
    """The reply to Traefik's ping, which tells no version; the address may leave the path out."""
    url = settings.traefik_url or ""
    return _asked_http(url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/ping", None)


def _asked_http(url: str, version_of: Callable[[Any], str | None] | None) -> Reply:
    """The reply to a GET; without ``version_of`` its body may be anything."""
    import urllib3

    _check_address(url)
    began_at = monotonic()
    try:
        response = urllib3.request("GET", url, timeout=TIMEOUT_SECONDS, retries=False)
    except urllib3.exceptions.TimeoutError as error:
        raise NoAnswer(Trouble.SILENT, f"{url} does not answer within {TIMEOUT_SECONDS:g} s") from error
    except urllib3.exceptions.HTTPError as error:
        raise NoAnswer(Trouble.OTHER, f"{url}: {error}") from error
    latency_ms = _ms_since(began_at)
    if response.status != 200:
        kind = Trouble.PASSWORD if response.status in (401, 403) else Trouble.OTHER
        raise NoAnswer(kind, f"{url} answers with status {response.status}")
    if version_of is None:
        return Reply(None, latency_ms)
    try:
        document = response.json()
        return Reply(version_of(document), latency_ms, document=document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnswer(Trouble.OTHER, f"{url} answers with something else: another program listens there") from error


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.hostname is not None:
        check_reached(parts.hostname, parts.port or _port_of(url), TIMEOUT_SECONDS)


def _port_of(url: str) -> int:
    return _PORTS.get(urlsplit(url).scheme, 80)


def _broken_off(program: str, error: Exception) -> NoAnswer:
    is_late = isinstance(error, TimeoutError) or "timed out" in str(error).lower() or "Timeout" in str(error)
    if is_late:
        return NoAnswer(Trouble.SILENT, f"{program} accepts the connection and says nothing for {TIMEOUT_SECONDS:g} s")
    return NoAnswer(Trouble.REFUSED, f"{program} breaks the connection off: {error}")


def _not_installed(program: str, error: ModuleNotFoundError) -> NoAnswer:
    return NoAnswer(
        Trouble.OTHER, f'settings name {program}, and {error.name} is not installed: pip install "mlp-stack[stack]"'
    )


def _ms_since(began_at: float) -> float:
    return 1000 * (monotonic() - began_at)
