import re

import yaml

from mlp.config import Settings
from mlp.deployment.environment import (
    REQUIRED,
    SECRET_ALPHABET,
    SECRET_CHARACTERS,
    all_optional,
    draw_secret,
    example_text,
    strong_text,
)
from tests.architecture.source_tree import ROOT

#: The variables that users of this stack have already, with the values that bring it up on one machine.
FIRST_FILE = """\
DOMAIN=localhost
CELERY_BROKER_URL=pyamqp://rabbitmq/
CELERY_BACKEND_URL=redis://redis/
CELERY_QUEUE=
DATABASE_SCHEMA=mlpdb
DATABASE_USER=mlp
DATABASE_PASS=mlp
DATABASE_HOST=database
DATABASE_URL=postgresql://${DATABASE_USER}:${DATABASE_PASS}@${DATABASE_HOST}/${DATABASE_SCHEMA}
GRAFANA_ADMIN_PASS=grafana
"""
_INTERPOLATED = re.compile(r"(?<!\$)\$\{([A-Z_][A-Z0-9_]*)(?::?-([^{}$]*)\})?")


def compose_files() -> list[str]:
    """The main file, and those that add to it."""
    files = sorted(ROOT.glob("docker-compose*.yaml"), key=lambda path: path.name != "docker-compose.yaml")
    assert files[0].name == "docker-compose.yaml"
    return [path.read_text(encoding="utf-8") for path in files]


def passed_through(text: str) -> set[str]:
    """The variables that a container is given as they stand in .env, without a value in the Compose file."""
    # Compose's own tag for a list that takes the place of the base file's; it says nothing about variables.
    document = yaml.safe_load(text.replace("!override", ""))
    environments = [service.get("environment") or {} for service in document["services"].values()]
    return {name for environment in environments for name, value in environment.items() if value is None}


def default_of_setting(variable: str) -> str:
    return str(Settings.model_fields[variable.removeprefix("MLP_").lower()].default).removesuffix(".0")


def assignments(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_example_begins_with_the_first_file_word_for_word() -> None:
    (block,) = [part for part in example_text().split("\n\n") if "\nDOMAIN=" in part]

    assert block.endswith(FIRST_FILE.removesuffix("\n"))


def test_example_in_the_repository_is_what_this_module_writes() -> None:
    assert ROOT.joinpath(".env.example").read_text(encoding="utf-8") == example_text()


def test_example_names_the_variables_that_the_compose_files_read_and_no_other() -> None:
    interpolated = {found[1] for text in compose_files() for found in _INTERPOLATED.finditer(text)}
    passed = {name for text in compose_files() for name in passed_through(text)}

    assert {each.name for each in [*REQUIRED, *all_optional()]} == interpolated | passed


def test_example_shows_what_counts_while_a_variable_is_not_set() -> None:
    defaults: dict[str, str] = {}
    for text in compose_files():
        for name in passed_through(text):
            defaults.setdefault(name, default_of_setting(name))
        for found in _INTERPOLATED.finditer(text):
            if found[2] is not None:
                defaults.setdefault(found[1], found[2])

    differing = {each.name: each.value for each in all_optional() if each.value != defaults.get(each.name, "")}

    assert not differing


def test_every_variable_is_named_once_with_a_word_about_it() -> None:
    variables = [*REQUIRED, *all_optional()]

    assert len({each.name for each in variables}) == len(variables)
    assert all(each.about.endswith(".") for each in variables)


def test_strong_file_holds_every_variable_that_is_needed_and_every_secret() -> None:
    strong = assignments(strong_text("example.org", "0.0.0.0"))

    assert strong.keys() >= {each.name for each in REQUIRED}
    assert strong.keys() >= {each.name for each in [*REQUIRED, *all_optional()] if each.is_secret}


def test_strong_file_holds_nothing_that_the_example_does_not_know() -> None:
    strong = assignments(strong_text("example.org", "0.0.0.0", "ops@example.org"))

    assert strong.keys() <= {each.name for each in [*REQUIRED, *all_optional()]}


def test_strong_file_takes_a_secret_of_its_own_for_each_service() -> None:
    numbers = iter(range(100))
    strong = assignments(strong_text("example.org", "0.0.0.0", draw=lambda: f"secret{next(numbers)}"))

    drawn = [secret for value in strong.values() for secret in re.findall(r"secret\d+", value)]

    assert len(drawn) == len(set(drawn)) == next(numbers)
    assert re.fullmatch(r"pyamqp://mlp:secret\d+@rabbitmq/", strong["CELERY_BROKER_URL"])
    assert strong["CELERY_BACKEND_URL"] == "redis://:${REDIS_PASS}@redis/"


def test_strong_file_names_a_variable_before_another_is_made_of_it() -> None:
    seen: set[str] = set()

    for name, value in assignments(strong_text("example.org", "0.0.0.0")).items():
        assert set(re.findall(r"\$\{(\w+)\}", value)) <= seen
        seen.add(name)


def test_strong_file_without_email_leaves_its_place_open() -> None:
    assert "\n# ACME_EMAIL=\n" in strong_text("example.org", "0.0.0.0")
    assert "\nACME_EMAIL=ops@example.org\n" in strong_text("example.org", "0.0.0.0", "ops@example.org")


def test_secrets_differ_and_need_no_escaping() -> None:
    drawn = {draw_secret() for _ in range(50)}

    assert len(drawn) == 50
    assert all(len(secret) == SECRET_CHARACTERS and set(secret) <= set(SECRET_ALPHABET) for secret in drawn)
    assert SECRET_ALPHABET.isalnum()
    assert SECRET_ALPHABET.isascii()
