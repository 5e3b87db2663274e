"""The two steps before the stack starts, on real servers: the database is made ready, RabbitMQ loads its users."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import amqp
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from mlp.config import Settings
from mlp.deployment.migrate import migrate
from mlp.deployment.prepare import prepare
from mlp.errors import ConfigurationInvalid
from mlp.storage import schema
from mlp.storage.database import Database
from tests.contract.job_support import until
from tests.postgres import PostgresServer
from tests.rabbitmq import RabbitMQServer

pytestmark = pytest.mark.slow

READER = "mlp_reader"


def settings_of(url: str) -> Settings:
    return Settings(database_url=SecretStr(url), database_timeout_seconds=2)


def run(url: str, query: sql.SQL | sql.Composed) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description is not None else []


@pytest.fixture
def guarded_url(postgres_server: PostgresServer, postgres_database_url: str) -> Iterator[str]:
    """The database as a user whom the server asks for the password "first"; the others are trusted."""
    user = postgres_database_url.rpartition("/")[2].replace("test_", "user_")
    name = sql.Identifier(user)
    database = sql.Identifier(postgres_database_url.rpartition("/")[2])
    run(postgres_database_url, sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'first'").format(name))
    run(postgres_database_url, sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, name))
    run(postgres_database_url, sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
    [(path,)] = run(postgres_database_url, sql.SQL("SHOW hba_file"))
    rules = Path(str(path))
    before = rules.read_text()
    rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{before}")
    run(postgres_database_url, sql.SQL("SELECT pg_reload_conf()"))
    url = f"postgresql://{user}:first@127.0.0.1:{postgres_server.port}/{postgres_database_url.rpartition('/')[2]}"
    until(lambda: is_refused(url.replace(":first@", ":wrong@")))
    yield url
    rules.write_text(before)
    run(postgres_database_url, sql.SQL("SELECT pg_reload_conf()"))
    until(lambda: not is_refused(url.replace(":first@", ":wrong@")))
    run(postgres_database_url, sql.SQL("REASSIGN OWNED BY {} TO postgres").format(name))
    if has_reader(postgres_database_url):
        run(postgres_database_url, sql.SQL("DROP OWNED BY {}").format(sql.Identifier(READER)))
    run(postgres_database_url, sql.SQL("DROP OWNED BY {}").format(name))
    run(postgres_database_url, sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(READER)))
    run(postgres_database_url, sql.SQL("DROP ROLE {}").format(name))


def has_reader(url: str) -> bool:
    query = sql.SQL("SELECT 1 FROM pg_roles WHERE rolname = {}").format(sql.Literal(READER))
    return run(url, query) != []


def is_refused(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return True
    return False


@pytest.mark.postgres
def test_empty_database_is_made_ready_and_a_second_time_changes_nothing(guarded_url: str) -> None:
    settings = settings_of(guarded_url)

    revisions = [migrate(settings, "reader's secret") for _ in range(2)]

    assert revisions == [schema.HEAD] * 2
    with closing(Database(guarded_url)) as database:
        schema.check(database)
        assert schema.current_revision(database) == schema.HEAD


@pytest.mark.postgres
def test_reading_role_sees_jobs_and_may_not_write(guarded_url: str, postgres_server: PostgresServer) -> None:
    migrate(settings_of(guarded_url), "reader's secret")
    reader = f"postgresql://{READER}@127.0.0.1:{postgres_server.port}/{guarded_url.rpartition('/')[2]}"

    assert run(reader, sql.SQL("SELECT count(id) FROM jobs")) == [(0,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        run(reader, sql.SQL("DELETE FROM jobs"))


@pytest.mark.postgres
def test_without_a_password_no_role_is_made(guarded_url: str) -> None:
    assert migrate(settings_of(guarded_url), "") == schema.HEAD

    assert not has_reader(guarded_url)


@pytest.mark.postgres
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_wrong_password_is_refused_with_its_variable_and_the_command(guarded_url: str, host: str) -> None:
    wrong = guarded_url.replace(":first@", ":second@").replace("127.0.0.1", host)

    with pytest.raises(ConfigurationInvalid, match="DATABASE_PASS") as refused:
        migrate(settings_of(wrong), "")

    user = guarded_url.removeprefix("postgresql://").partition(":")[0]
    assert f"ALTER USER {user} PASSWORD" in refused.value.message
    assert "docker compose exec database psql" in refused.value.message
    assert "second" not in refused.value.message


def may_sign_in(server: RabbitMQServer, user: str, password: str) -> bool:
    connection = amqp.Connection(f"127.0.0.1:{server.port}", userid=user, password=password, connect_timeout=10)
    try:
        connection.connect()
    except amqp.exceptions.AccessRefused:
        return False
    connection.channel().queue_declare("tried", exclusive=True)
    connection.close()
    return True


@pytest.mark.rabbitmq
def test_rabbitmq_loads_the_users_that_were_prepared(tmp_path: Path) -> None:
    environment = {"GRAFANA_ADMIN_PASS": "gräfana", "CELERY_BROKER_URL": "pyamqp://m%40p:s%2Fcret@rabbitmq/"}
    prepare(tmp_path, environment)

    with closing(RabbitMQServer(tmp_path / "rabbitmq.json")) as server:
        signed_in = {
            (user, password): may_sign_in(server, user, password)
            for user, password in [("m@p", "s/cret"), ("admin", "gräfana"), ("m@p", "wrong"), ("guest", "guest")]
        }

    assert signed_in == {
        ("m@p", "s/cret"): True,
        ("admin", "gräfana"): True,
        ("m@p", "wrong"): False,
        ("guest", "guest"): False,
    }
