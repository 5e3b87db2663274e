"""The reference pages say what the code says: nothing lacks, nothing is out of date."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices

from mlp.api import app as app  # declares all metrics
from mlp.api.in_process import InProcessTransport
from mlp.cli.main import build
from mlp.config import Settings
from mlp.errors import MLPError, all_error_classes
from mlp.inference.protocol_routes import HOT_ROUTES, ROUTES
from mlp.observability.metrics import render
from mlp.registry.folder import read_folder
from mlp.signature import DType
from tests.architecture.source_tree import ROOT
from tests.docs.blocks import all_pages, blocks_of, commands_within, page, rows_of

SETTINGS = sorted(Settings.model_fields)
ERRORS = sorted(all_error_classes().values(), key=lambda error: error.code)


def test_pages_are_as_the_generator_writes_them() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]

    checked = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_is_on_its_page_with_variables_default_and_description(name: str) -> None:
    field = Settings.model_fields[name]
    alias = field.validation_alias
    variables = alias.choices if isinstance(alias, AliasChoices) else [f"MLP_{name.upper()}"]
    default = "not set" if field.default is None else f"{field.default}".removesuffix(".0")

    (row,) = [row for row in rows_of(page("reference/settings")) if f"``{variables[0]}``" in row[0]]

    assert all(f"``{variable}``" in row[0] for variable in variables)
    assert default in row[1]
    assert field.description
    assert row[2] == field.description


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_error_is_on_its_page_with_code_status_title_and_class(error: type[MLPError]) -> None:
    rows = rows_of(page("reference/errors"))

    (row,) = [row for row in rows if row[0] == f"``{error.code}``"]

    assert row[1:4] == [str(error.status), error.title, f"``{error.__name__}``"]


def test_metrics_on_their_page_are_those_that_a_server_shows() -> None:
    shown = render().decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", shown, re.MULTILINE))
    meanings = dict(re.findall(r"^# HELP (\S+) (.*)$", shown, re.MULTILINE))

    rows = {row[0].strip("`"): row for row in rows_of(page("reference/metrics"))[1:]}

    assert rows.keys() == types.keys()
    assert {name: row[1] for name, row in rows.items()} == types
    assert {name: row[3] for name, row in rows.items()} == meanings


def test_labels_of_metrics_on_their_page_are_those_of_the_code() -> None:
    from mlp.feedback.metrics import labels
    from mlp.inference.metrics import requests

    requests.labels("churn", "1", "success")
    labels.labels("churn", "matched")
    shown = render().decode()

    rows = {row[0]: row[2] for row in rows_of(page("reference/metrics"))}

    assert 'mlp_inference_requests_total{model="churn",outcome="success",version="1"}' in shown
    assert rows["``mlp_inference_requests_total``"] == "``model``, ``version``, ``outcome``"
    assert 'mlp_feedback_labels_total{model="churn",state="matched"}' in shown
    assert rows["``mlp_feedback_labels_total``"] == "``model``, ``state``"


def commands() -> dict[str, Any]:
    """Every command and noun by its words, as the command line itself knows them."""
    from typer import Context
    from typer.main import get_command

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        yield " ".join(words), command
        for name in command.list_commands(Context(command)) if hasattr(command, "list_commands") else ():
            yield from walk(command.commands[name], (*words, name))

    return dict(walk(get_command(build()), ("mlp",)))


COMMANDS = commands()


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != "mlp"])
def test_command_is_on_its_page_with_every_argument_and_option(words: str) -> None:
    text = page("reference/cli").read_text(encoding="utf-8")
    _before, heading, after = text.partition(f"\n{words}\n{'-' * len(words)}\n")
    section = after.partition("\n.. _mlp-")[0]
    visible = [each for each in COMMANDS[words].params if not each.hidden]

    named = {option for each in visible for option in (*each.opts, *each.secondary_opts) if option.startswith("-")}
    arguments = {each.metavar for each in visible if not each.opts[0].startswith("-")}

    assert heading
    assert {option for option in named if not re.search(rf"(^|[\s,/]){option}\b", section)} == set()
    assert {argument for argument in arguments if argument not in section} == set()


@pytest.mark.parametrize("path", all_pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_that_a_page_names_exist_with_their_options(path: Path) -> None:
    shown = [block.text for block in blocks_of(path) if block.language == "sh"]
    lines = [line for text in shown for line in text.replace("\\\n", " ").splitlines() if line.startswith("mlp ")]

    wrong = [line for line in [*commands_within(path), *lines] if not is_command(line)]

    assert not wrong


def is_command(line: str) -> bool:
    """Whether the words of a line lead to a command that has its options."""
    words = line.replace("...", " ").split()
    known = " ".join(words[:3]) if " ".join(words[:3]) in COMMANDS else " ".join(words[:2])
    if words[1].startswith("-"):
        known = "mlp"
    if known not in COMMANDS:
        return False
    options = {option for each in COMMANDS[known].params for option in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    return given <= options | {"--help"}


def test_routes_on_their_page_are_those_of_a_server(tmp_path: Path) -> None:
    with closing(InProcessTransport.open(Settings(folder=tmp_path))) as server:
        answer = server.send("GET", "/openapi.json", query={}, body=None, headers={}, timeout_seconds=60)
    documented = {
        f"``{method.upper()} {path}``"
        for path, methods in json.loads(answer.body)["paths"].items()
        for method in methods
    }
    protocol = {
        f"``{method} {route.path}``"
        for route in [*HOT_ROUTES, *ROUTES]
        for method in route.methods or ()
        if method != "HEAD"
    }

    shown = {row[0] for row in rows_of(page("reference/http")) if row[0] != "Route"}

    assert shown == documented | protocol


def test_mlp_toml_on_its_page_is_read_and_complete(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks_of(page("reference/model-folder")) if block.language == "toml"]
    tmp_path.joinpath("mlp.toml").write_text(text, encoding="utf-8")
    tmp_path.joinpath("model.py").write_text("", encoding="utf-8")

    folder = read_folder(tmp_path)

    left_out = {name for name in folder.__dataclass_fields__ if getattr(folder, name) in (None, (), {})}
    assert left_out == {"outputs", "requirements", "example", "reference"}


def test_every_type_of_an_input_is_on_the_page_of_the_model_folder() -> None:
    text = page("reference/model-folder").read_text(encoding="utf-8")

    assert {dtype.value for dtype in DType if f"``{dtype.value}``" not in text} == set()
