"""The dashboards' queries on real servers: PromQL that promtool parses, SQL as the read-only role; and the checker."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import sqlalchemy as sa
import yaml

from deploy.grafana import check_panels, draw
from deploy.grafana.build import FOLDER
from deploy.grafana.builder import Need
from deploy.grafana.checking import macros
from deploy.grafana.checking.answers import Answer
from deploy.grafana.checking.macros import Span
from deploy.grafana.checking.postgres import PostgresServer
from deploy.grafana.checking.prometheus import PrometheusServer
from deploy.grafana.checking.run import Asked, Sources, Verdict, check_dashboard
from deploy.grafana.definitions import DASHBOARDS
from mlp.all_tables import METADATA
from mlp.deployment.reader import READER_COLUMNS, READER_ROLE, grant_reader
from mlp.errors import ConfigurationInvalid
from mlp.storage import schema
from mlp.storage.database import Database
from tests.deploy.dashboards import expressions
from tests.postgres import PostgresServer as PostgresServerOfTests

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPAN = Span(NOON - timedelta(hours=1), NOON)
#: Everything that SQL, a shell or a connection string might read as its own.
PASSWORD = "p'a\"s%s$1\\{} ;--"


@pytest.mark.prometheus
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query{at}:x", "expr": macros.promql(query.expression, SPAN, {"model": ["a b", "c.d"]})}
        for at, (_panel, query) in enumerate(expressions())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    program = shutil.which("promtool")
    assert program is not None

    checked = subprocess.run(
        [program, "check", "rules", str(path)], capture_output=True, text=True, timeout=100, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServerOfTests) -> Iterator[Database]:
    """A database with the schema, for all tests here: they write nothing."""
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE dashboards")
        with closing(Database(postgres_server.url("dashboards"))) as database:
            schema.upgrade(database)
            yield database
        connection.execute("DROP DATABASE dashboards WITH (FORCE)")


@pytest.fixture(scope="module")
def reader_url(database: Database) -> Iterator[str]:
    """The database's address for the read-only role, which is gone afterwards: roles belong to the server."""
    with database.transaction() as connection:
        grant_reader(connection, READER_ROLE, PASSWORD)
    yield database.url.set(drivername="postgresql", username=READER_ROLE).render_as_string(hide_password=False)
    with database.transaction() as connection:
        connection.execute(sa.text(f"DROP OWNED BY {READER_ROLE}"))
        connection.execute(sa.text(f"DROP ROLE {READER_ROLE}"))


@pytest.mark.postgres
@pytest.mark.parametrize("models", [[], ["churn", "late flights"]], ids=["no model yet", "two models"])
def test_role_runs_every_query_of_every_dashboard(
    reader_url: str, prometheus: "FakePrometheus", models: list[str]
) -> None:
    prometheus.models = models
    with closing(PostgresServer(reader_url)) as postgres:
        asked = [
            one
            for dashboard in DASHBOARDS
            for one in check_dashboard(dashboard, FOLDER, Sources(PrometheusServer(prometheus.url), postgres, SPAN))
            if one.source == "postgresql"
        ]

    assert [f"{one.title}: {one.answer.error}" for one in asked if one.answer.error is not None] == []
    assert len(asked) > 15


@pytest.mark.postgres
@pytest.mark.parametrize("table", sorted(set(METADATA.tables) - set(READER_COLUMNS)))
def test_role_sees_no_other_table(reader_url: str, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(reader_url) as connection:
        connection.execute(f"SELECT * FROM {table}".encode())


@pytest.mark.postgres
@pytest.mark.parametrize(
    "column",
    ["inferences.key", "feedback.key", "feedback.label", "versions.example", "jobs.idempotency_key", "models.settings"],
)
def test_role_sees_no_column_that_customers_filled(reader_url: str, column: str) -> None:
    table, _dot, name = column.partition(".")

    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(reader_url) as connection:
        connection.execute(f"SELECT {name} FROM {table}".encode())


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO queue_pauses VALUES ('mlp.high', 'x', now())",
        "UPDATE jobs SET state = 'failed'",
        "DELETE FROM alias_moves",
        "CREATE TABLE mine (x int)",
        "CREATE TEMPORARY TABLE mine (x int)",
        "TRUNCATE inferences",
    ],
)
def test_role_writes_nothing_even_if_it_asks_for_a_writing_transaction(reader_url: str, statement: str) -> None:
    with psycopg.connect(reader_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(statement.encode())
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.postgres
def test_role_is_brought_back_to_what_it_should_be(database: Database, reader_url: str) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text(f"ALTER ROLE {READER_ROLE} SUPERUSER CREATEDB"))
        connection.execute(sa.text(f"GRANT ALL ON job_payloads TO {READER_ROLE}"))
        connection.execute(sa.text(f"GRANT pg_read_all_data TO {READER_ROLE}"))

    with database.transaction() as connection:
        grant_reader(connection, READER_ROLE, "another")

    with database.reading() as connection:
        attributes = connection.execute(
            sa.text("SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = :role"),
            {"role": READER_ROLE},
        ).one()
    assert tuple(attributes) == (False, False, False, True)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(reader_url) as reading:
        reading.execute("SELECT count(*) FROM job_payloads")


@pytest.mark.postgres
def test_owner_who_is_no_superuser_makes_the_role_and_makes_it_again(postgres_server: PostgresServerOfTests) -> None:
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute("CREATE ROLE plain_owner LOGIN CREATEROLE")
        connection.execute("CREATE DATABASE of_plain_owner OWNER plain_owner")
        url = postgres_server.url("of_plain_owner").replace("postgres@", "plain_owner@")
        with closing(Database(url)) as database:
            schema.upgrade(database)
            for password in ("first", "second"):
                with database.transaction() as transaction:
                    grant_reader(transaction, "plain_reader", password)
        with psycopg.connect(url.replace("plain_owner@", "plain_reader@")) as reading:
            reading.execute("SELECT count(*) FROM jobs")
        connection.execute("DROP DATABASE of_plain_owner WITH (FORCE)")
        connection.execute("DROP ROLE plain_reader")
        connection.execute("DROP ROLE plain_owner")


@pytest.mark.postgres
def test_user_that_may_make_no_role_is_told_what_to_do(postgres_server: PostgresServerOfTests) -> None:
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute("CREATE ROLE powerless LOGIN")
        url = postgres_server.url("postgres").replace("postgres@", "powerless@")
        with (
            closing(Database(url)) as database,
            pytest.raises(ConfigurationInvalid, match="CREATEROLE"),
            database.transaction() as transaction,
        ):
            grant_reader(transaction, "never_made", "x")
        connection.execute("DROP ROLE powerless")


@pytest.mark.postgres
def test_password_is_stored_as_the_hash_that_it_gives(database: Database, reader_url: str) -> None:
    with database.transaction() as connection:
        grant_reader(connection, READER_ROLE, PASSWORD)
    with database.reading() as connection:
        stored = connection.execute(
            sa.text("SELECT rolpassword FROM pg_authid WHERE rolname = :role"), {"role": READER_ROLE}
        ).scalar_one()

    iterations, salt = stored.split("$")[1].split(":")
    assert stored.startswith("SCRAM-SHA-256$")
    assert _scram(PASSWORD, salt, int(iterations)) == stored.split("$")[2]


def _scram(password: str, salt: str, iterations: int) -> str:
    """StoredKey:ServerKey of RFC 5802 section 3, in base64 as PostgreSQL keeps them."""
    import base64
    import hashlib
    import hmac

    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    return ":".join(base64.b64encode(key).decode() for key in (hashlib.sha256(client).digest(), server))


class FakePrometheus(ThreadingHTTPServer):
    """Speaks Prometheus' HTTP interface, and gives every question one answer; the real one is asked by the stack test.

    Attributes:
        answer: What stands under "data" of the answers to queries; None: an error.
        models: Values of every label.
        asked: Path and fields of every question.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: dict[str, Any] | None = {"result": []}
        self.models = ["churn", "late flights"]
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def reply(self, path: str) -> dict[str, Any]:
        """The document that answers a path."""
        parts = urlsplit(path)
        self.asked.append((parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()}))
        if parts.path.endswith("/values"):
            return {"status": "success", "data": self.models}
        if self.answer is None:
            return {"status": "error", "errorType": "bad_data", "error": "parse error"}
        return {"status": "success", "data": self.answer}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, FakePrometheus)
        body = json.dumps(self.server.reply(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests look at what was asked."""


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    with FakePrometheus() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def series(*values: float, **labels: str) -> dict[str, Any]:
    """One series as Prometheus gives it."""
    return {"metric": labels, "values": [[NOON.timestamp() + at, str(value)] for at, value in enumerate(values)]}


def checked(uid: str, prometheus: FakePrometheus, *without: Need) -> list[Asked]:
    """A dashboard's questions to Prometheus, asked of the fake."""
    (dashboard,) = [each for each in DASHBOARDS if each.uid == uid]
    sources = Sources(PrometheusServer(prometheus.url), None, SPAN, without)
    return [one for one in check_dashboard(dashboard, FOLDER, sources) if one.source == "prometheus"]


def test_answers_are_well_when_every_query_has_points(prometheus: FakePrometheus) -> None:
    prometheus.answer = {"result": [series(1.0, 2.0, status="200")]}

    asked = checked("mlp-service", prometheus)

    assert {one.verdict for one in asked} == {Verdict.WELL}
    (by_status,) = [one for one in asked if one.title == "Requests by status"]
    assert [line.name for line in by_status.answer.lines] == ["200"]


@pytest.mark.parametrize("result", [[], [series(float("nan"), float("nan"))]], ids=["no series", "no number"])
def test_nothing_is_a_fault_unless_it_is_declared_well(prometheus: FakePrometheus, result: list[Any]) -> None:
    prometheus.answer = {"result": result}

    verdicts = {one.title: one.verdict for one in checked("mlp-service", prometheus)}

    assert verdicts["Requests"] is Verdict.EMPTY
    assert verdicts["Alerts"] is Verdict.EMPTY_IS_WELL


def test_refused_query_is_an_error_even_where_nothing_is_well(prometheus: FakePrometheus) -> None:
    prometheus.answer = None

    asked = checked("mlp-infrastructure", prometheus, Need.EXPORTERS)

    left_out = {one.title for one in asked if one.verdict is Verdict.LEFT_OUT}
    assert {one.verdict for one in asked if one.title not in left_out} == {Verdict.ERROR}
    assert all("profile exporters" in title for title in left_out)
    assert left_out


def test_chosen_models_stand_in_the_queries_as_grafana_writes_them(prometheus: FakePrometheus) -> None:
    checked("mlp-models", prometheus)

    queries = [fields["query"] for path, fields in prometheus.asked if not path.endswith("/values")]
    assert any('model=~"(churn|late flights)"' in query for query in queries)
    assert any('version=~"(churn|late flights)/.*"' in query for query in queries)
    assert not [query for query in queries if "$" in query]


def test_command_fails_and_keeps_the_answers(
    prometheus: FakePrometheus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"

    code = check_panels.main(
        ["--prometheus", prometheus.url, "--since", "15m", "--dashboards", "mlp-service", "--results", str(results)]
    )

    kept = json.loads(results.read_text("utf-8"))["queries"]
    assert code == 1
    assert {one["dashboard"] for one in kept} == {"mlp-service"}
    assert "EMPTY" in capsys.readouterr().out


def test_macros_are_expanded_as_grafana_does() -> None:
    values = {"model": ["it's", "b.c"]}

    assert macros.promql("rate(x[$__rate_interval]) + y[$__range] + z[${__interval}]", SPAN, values) == (
        "rate(x[40s]) + y[3600s] + z[10s]"
    )
    assert macros.promql('{m=~"$model"}', SPAN, {"model": ["b.c"]}) == '{m=~"b\\\\.c"}'
    assert macros.sql("$__timeFilter(a.at) AND x = ANY (ARRAY[${model:sqlstring}])", SPAN, values) == (
        "a.at BETWEEN '2026-03-01T11:00:00Z' AND '2026-03-01T12:00:00Z' AND x = ANY (ARRAY['it''s','b.c'])"
    )
    assert macros.sql("$__timeGroup(at, '5m'), $__timeFrom()", SPAN, values) == (
        "floor(extract(epoch from at)/300)*300, '2026-03-01T11:00:00Z'"
    )


@pytest.mark.parametrize("text", ["$__unknown(at)", "x = $nobody"])
def test_macro_or_variable_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown|nobody"):
        macros.sql(text, SPAN, {})


def test_rate_looks_back_over_four_scrapes_and_over_more_when_points_are_far_apart() -> None:
    day = Span(NOON - timedelta(days=1), NOON, points_max=100)

    assert (SPAN.interval_seconds, SPAN.rate_interval_seconds) == (10, 40)
    assert (day.interval_seconds, day.rate_interval_seconds) == (864, 874)
    assert SPAN.last("14d").range_seconds == 14 * 86_400


def test_picture_is_drawn_of_lines_numbers_and_tables_and_is_small_enough(prometheus: FakePrometheus) -> None:
    prometheus.answer = {"result": [series(*(at % 7 + 0.5 for at in range(60)), queue="mlp.high", kind="predict")]}
    table = Answer(columns=["code", "jobs", "since"], rows=[["model_failed", 3, None], ["bad_input", 1.5, True]])
    (dashboard,) = [each for each in DASHBOARDS if each.uid == "mlp-queue"]
    sources = Sources(PrometheusServer(prometheus.url), None, SPAN, [Need.RABBITMQ])
    asked = [
        asdict(replace(one, answer=table) if one.reason == "without postgresql" else one)
        for one in check_dashboard(dashboard, FOLDER, sources)
    ]

    ((name, content),) = draw.pictures(
        {"since": SPAN.since.isoformat(), "until": SPAN.until.isoformat(), "queries": asked}
    )

    assert name == "dashboard-mlp-queue.png"
    assert content.startswith(b"\x89PNG")
    assert len(content) < 250_000
