import json
import re
import stat
import sys
from pathlib import Path

import pytest

from mlp.cli.main import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder beside whose Compose file the command stands."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("docker-compose.yaml").touch()
    return tmp_path


def test_init_with_a_domain_writes_a_file_that_faces_the_world(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--domain", "example.org"]) == 0

    text = folder.joinpath(".env").read_text(encoding="utf-8")
    assert "\nDOMAIN=example.org\nBIND_ADDRESS=0.0.0.0\n" in text
    assert re.search(r"^MLP_API_KEY=[A-Za-z0-9]{32}$", text, re.MULTILINE)
    assert "docker compose up -d" in capsys.readouterr().err


def test_init_without_a_domain_stays_on_loopback_with_a_key(folder: Path) -> None:
    assert run(["init"]) == 0

    text = folder.joinpath(".env").read_text(encoding="utf-8")
    assert "\nDOMAIN=localhost\nBIND_ADDRESS=127.0.0.1\nMLP_API_KEY=" in text


def test_init_takes_address_and_email(folder: Path) -> None:
    assert run(["init", "--domain", "example.org", "--bind", "10.0.0.5", "--email", "ops@example.org"]) == 0

    text = folder.joinpath(".env").read_text(encoding="utf-8")
    assert "\nBIND_ADDRESS=10.0.0.5\n" in text
    assert "\nACME_EMAIL=ops@example.org\n" in text


@pytest.mark.skipif(sys.platform == "win32", reason="only on systems with POSIX modes")
def test_init_makes_the_file_for_its_owner_alone(folder: Path) -> None:
    assert run(["init"]) == 0

    assert stat.S_IMODE(folder.joinpath(".env").stat().st_mode) == 0o600


def test_init_leaves_a_file_that_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.joinpath(".env").write_text("DOMAIN=mine\n")

    assert run(["init", "--domain", "example.org"]) == 1

    assert folder.joinpath(".env").read_text() == "DOMAIN=mine\n"
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="only on systems with symbolic links")
def test_init_follows_no_link(folder: Path) -> None:
    folder.joinpath(".env").symlink_to(folder / "elsewhere")

    assert run(["init"]) == 1

    assert not folder.joinpath("elsewhere").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--domain", "a$b.org"], "'a$b.org' is no domain"),
        (["--domain", "a b"], "is no domain"),
        (["--domain", "x\nMLP_API_KEY=known"], "is no domain"),
        (["--domain", "-a.org"], "is no domain"),
        (["--domain", ".".join(["a" * 60] * 5)], "is no domain"),
        (["--bind", "localhost"], "is no IPv4 address"),
        (["--bind", "1.2.3.256"], "is no IPv4 address"),
        (["--email", "ops"], "is no e-mail address"),
        (["--email", "a'b@example.org"], "is no e-mail address"),
        (["--force"], "No such option: --force"),
        (["--url", "http://localhost:1"], "leave --url out"),
    ],
)
def test_init_refuses_what_would_break_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(["init", *arguments]) == 2

    assert told.split()[0] in capsys.readouterr().err
    assert not folder.joinpath(".env").exists()


def test_init_says_when_it_stands_in_another_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.joinpath("docker-compose.yaml").unlink()

    assert run(["init"]) == 0

    assert "there is no docker-compose.yaml here" in capsys.readouterr().err


def test_init_as_json_shows_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--domain", "example.org", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown == {"file": str(folder / ".env"), "domain": "example.org", "bind_address": "0.0.0.0"}
