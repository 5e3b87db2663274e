import threading
from pathlib import Path

import pytest

from mlp.cli.connection import connect, read_settings, server_address
from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.storage.ownership import FolderOwner


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLP_URL", "MLP_API_KEY", "MLP_FOLDER", "MLP_PORT", "MLP_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_settings_command_line_stands_in_place_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLP_PORT", "5000")
    monkeypatch.setenv("MLP_FOLDER", "elsewhere")

    settings = read_settings(folder=Path("here"), port=None)

    assert (settings.folder, settings.port) == (Path("here"), 5000)


def test_settings_wrong_variable_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLP_PORT", "many")

    with pytest.raises(ConfigurationInvalid, match=r"variable MLP_PORT is wrong: .*integer.*, got many"):
        read_settings()


def test_settings_wrong_option_is_named_as_it_was_given() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"--port: .*less than or equal to 65535, got 70000"):
        read_settings(port=70_000)


@pytest.mark.parametrize("place", ["--folder", "the variable MLP_FOLDER"])
def test_settings_folder_that_is_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("age\n")
    monkeypatch.setenv("MLP_FOLDER", str(file))

    with pytest.raises(ConfigurationInvalid) as caught:
        read_settings(folder=file if place == "--folder" else None)

    assert caught.value.message == f"{file} is a file: {place} names the data folder"


def test_connect_to_a_named_url_goes_there(tmp_path: Path) -> None:
    with connect(Settings(folder=tmp_path, url="http://example.org:4789/")) as client:
        assert client._exchange._transport.address == "http://example.org:4789"


def test_connect_to_a_folder_goes_to_its_server(tmp_path: Path) -> None:
    with FolderOwner(tmp_path) as owner:
        owner.announce("http://localhost:4790")

        with connect(Settings(folder=tmp_path)) as client:
            assert client._exchange._transport.address == "http://localhost:4790"


def test_connect_waits_for_a_server_that_starts(tmp_path: Path) -> None:
    with FolderOwner(tmp_path) as owner:
        starting = threading.Timer(0.3, owner.announce, ["http://localhost:4790"])
        starting.start()

        with connect(Settings(folder=tmp_path)) as client:
            assert client._exchange._transport.address == "http://localhost:4790"

        starting.join()


def test_server_address_is_that_of_the_server_there_or_to_come(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, port=5000)

    before = server_address(settings)
    with FolderOwner(tmp_path) as owner:
        owner.announce("http://localhost:4790")
        during = server_address(settings)
    named = server_address(Settings(folder=tmp_path, url="https://mlp.example.org/"))

    assert (before, during, named) == ("http://localhost:5000", "http://localhost:4790", "https://mlp.example.org")


def test_server_address_of_one_machine_among_others_is_its_own(tmp_path: Path) -> None:
    assert server_address(Settings(folder=tmp_path, host="192.0.2.7")) == "http://192.0.2.7:4789"
