import pytest

from mlp.api.reaching import Trouble
from mlp.api.remedies import remedy_of


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("part", ["database", "broker", "cache", "prometheus", "grafana", "traefik"])
def test_every_trouble_of_every_part_has_a_command(part: str, trouble: Trouble) -> None:
    assert "docker compose" in remedy_of(part, trouble)


def test_parts_are_called_as_compose_calls_them() -> None:
    assert remedy_of("broker", Trouble.SILENT) == "docker compose restart rabbitmq"
    assert remedy_of("cache", Trouble.UNRESOLVED).startswith("docker compose up -d redis")


def test_wrong_password_of_the_database_names_both_ways_out() -> None:
    remedy = remedy_of("database", Trouble.PASSWORD)

    assert "DATABASE_PASS" in remedy
    assert "ALTER ROLE" in remedy
