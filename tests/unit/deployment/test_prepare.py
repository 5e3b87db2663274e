"""The files that other containers read: what they hold, and what of the environment is refused."""

import base64
import hashlib
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.deployment.prepare import prepare, rabbitmq_definitions
from mlp.errors import ConfigurationInvalid

ENVIRONMENT = {"GRAFANA_ADMIN_PASS": "grafana", "CELERY_BROKER_URL": "pyamqp://rabbitmq/"}
printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


def users_of(definitions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {user["name"]: user for user in definitions["users"]}


def is_password(user: dict[str, Any], password: str) -> bool:
    """RabbitMQ's own check: the first four bytes are the salt."""
    stored = base64.b64decode(user["password_hash"])
    return stored[4:] == hashlib.sha256(stored[:4] + password.encode()).digest()


def test_three_files_are_written_readable_to_other_users(tmp_path: Path) -> None:
    written = prepare(tmp_path / "prepared", ENVIRONMENT)

    assert [path.name for path in written] == ["admins", "rabbitmq.json", "alertmanager.yml"]
    assert {path.name for path in (tmp_path / "prepared").iterdir()} == {path.name for path in written}
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o644}
    assert stat.S_IMODE((tmp_path / "prepared").stat().st_mode) == 0o755


def test_files_of_an_earlier_start_are_replaced(tmp_path: Path) -> None:
    prepare(tmp_path, ENVIRONMENT)

    prepare(tmp_path, {**ENVIRONMENT, "GRAFANA_ADMIN_PASS": "another"})

    _name, _colon, hashed = (tmp_path / "admins").read_text().strip().partition(":")
    assert bcrypt.checkpw(b"another", hashed.encode())
    definitions = json.loads((tmp_path / "rabbitmq.json").read_text())
    assert is_password(users_of(definitions)["admin"], "another")


@pytest.mark.parametrize("password", ["grafana", "with space", "pässwörd", "a:b$c'd\"e", "x" * 72])
def test_hash_of_the_dashboards_verifies(tmp_path: Path, password: str) -> None:
    prepare(tmp_path, {**ENVIRONMENT, "GRAFANA_ADMIN_PASS": password})

    [line] = (tmp_path / "admins").read_text().splitlines()
    name, _colon, hashed = line.partition(":")
    assert name == "admin"
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    assert not bcrypt.checkpw(password.encode()[:-1], hashed.encode())


def test_no_file_holds_a_password(tmp_path: Path) -> None:
    environment = {
        "GRAFANA_ADMIN_PASS": "topsecret1",
        "CELERY_BROKER_URL": "pyamqp://mlp:topsecret2@rabbitmq/",
    }

    written = prepare(tmp_path, environment)

    assert not any("topsecret" in path.read_text() for path in written)


@pytest.mark.parametrize("password", ["x" * 73, "ü" * 37])
def test_password_longer_than_bcrypt_takes_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="GRAFANA_ADMIN_PASS is longer than 72 bytes"):
        prepare(tmp_path / "prepared", {**ENVIRONMENT, "GRAFANA_ADMIN_PASS": password})

    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("name", ["GRAFANA_ADMIN_PASS", "CELERY_BROKER_URL"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_variable_is_named(tmp_path: Path, name: str, value: str | None) -> None:
    environment = {each: text for each, text in {**ENVIRONMENT, name: value}.items() if text is not None}

    with pytest.raises(ConfigurationInvalid, match=f"{name} is not set") as refused:
        prepare(tmp_path, environment)

    assert ".env" in refused.value.message


@pytest.mark.parametrize("url", ["pyamqp://rabbitmq/", "pyamqp://rabbitmq:5672//", "amqp://rabbitmq"])
def test_broker_without_a_user_is_used_as_guest(url: str) -> None:
    definitions = rabbitmq_definitions(url, "grafana")

    assert is_password(users_of(definitions)["guest"], "guest")


@given(name=printable.filter(lambda name: name != "admin"), password=printable)
def test_user_and_password_of_the_address_are_unquoted(name: str, password: str) -> None:
    url = f"pyamqp://{quote(name, safe='')}:{quote(password, safe='')}@rabbitmq/"

    definitions = rabbitmq_definitions(url, "grafana")

    assert is_password(users_of(definitions)[name], password)


def test_user_of_the_address_may_use_everything_and_administer_nothing() -> None:
    definitions: dict[str, Any] = rabbitmq_definitions("pyamqp://mlp:secret@rabbitmq/", "grafana")

    users = users_of(definitions)
    assert {name: user["tags"] for name, user in users.items()} == {"mlp": [], "admin": ["administrator"]}
    assert definitions["vhosts"] == [{"name": "/"}]
    rights = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    assert definitions["permissions"] == [{"user": "mlp", **rights}, {"user": "admin", **rights}]


def test_same_password_has_another_hash_each_time() -> None:
    first, second = (users_of(rabbitmq_definitions("pyamqp://rabbitmq/", "grafana")) for _ in range(2))

    assert first["admin"]["password_hash"] != second["admin"]["password_hash"]


@pytest.mark.parametrize("url", ["pyamqp://admin:x@rabbitmq/", "pyamqp://%61dmin:x@rabbitmq/"])
def test_administrator_as_the_user_of_the_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="CELERY_BROKER_URL names the user admin"):
        rabbitmq_definitions(url, "grafana")


@pytest.mark.parametrize("url", ["pyamqp://mlp:se[cret@rabbitmq/", "pyamqp://[rabbitmq/", "rabbitmq", "pyamqp://"])
def test_malformed_address_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="CELERY_BROKER_URL is not an address"):
        rabbitmq_definitions(url, "grafana")


@pytest.mark.parametrize("url", ["pyamqp://mlp:se/cret@rabbitmq/", "pyamqp://mlp:12#cret@rabbitmq/"])
def test_password_that_is_not_quoted_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"CELERY_BROKER_URL.*%2F") as refused:
        rabbitmq_definitions(url, "grafana")

    assert "cret" not in refused.value.message
