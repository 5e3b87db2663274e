"""The operations scripts as far as they go without an engine; with one, the test of the stack runs all of them."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import AliasChoices

from mlp.config import Settings
from mlp.deployment.environment import strong_text
from tests.architecture.source_tree import ROOT
from tests.docs.blocks import blocks_of, page

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="only on systems with a POSIX shell")

DEPLOY = ROOT / "deploy"
COMMANDS = ("init", "backup", "restore", "upgrade", "rollback")
SOURCED = ("steps.sh", "replace.sh")
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
#: A docker that has no engine behind it: nothing in these tests may reach one.
NO_DOCKER = "#!/bin/sh\necho 'no engine here' >&2\nexit 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the scripts in a folder without .env."""
    shutil.copytree(DEPLOY, tmp_path / "stack" / "deploy", ignore=shutil.ignore_patterns("grafana", "prometheus"))
    programs = tmp_path / "programs"
    programs.mkdir()
    programs.joinpath("docker").write_text(NO_DOCKER)
    programs.joinpath("docker").chmod(0o755)
    return tmp_path / "stack"


def run(folder: Path, script: str, *arguments: str | Path, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    """Runs a script from another folder than its own, with a docker that fails."""
    environment = {**os.environ, "PATH": f"{folder.parent / 'programs'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [*command_of(shell), str(folder / "deploy" / script), *map(str, arguments)],
        cwd=folder.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def command_of(shell: str) -> list[str]:
    return ["busybox", "sh"] if shell == "busybox" else ["bash", "--posix"] if shell == "bash" else [shell]


def without_secrets(text: str) -> str:
    return re.sub(r"(?<![A-Za-z0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])", "SECRET", text)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", [*COMMANDS, *SOURCED])
def test_script_is_understood_by_every_shell(script: str, shell: str) -> None:
    checked = subprocess.run(
        [*command_of(shell), "-n", str(DEPLOY / script)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="only on machines with shellcheck")
@pytest.mark.parametrize("script", [*COMMANDS, *SOURCED])
def test_script_has_nothing_that_shellcheck_minds(script: str) -> None:
    checked = subprocess.run(
        ["shellcheck", "-x", f"deploy/{script}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("script", COMMANDS)
def test_script_can_be_executed_and_stops_at_errors(script: str) -> None:
    text = DEPLOY.joinpath(script).read_text(encoding="utf-8")

    assert DEPLOY.joinpath(script).stat().st_mode & stat.S_IXUSR
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text


@pytest.mark.parametrize("script", COMMANDS)
def test_script_explains_itself(folder: Path, script: str) -> None:
    told = run(folder, script, "--help")

    assert told.returncode == 0
    assert told.stdout.startswith("usage: ")
    assert f"deploy/{script}" in told.stdout


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("init", ["--force"]),
        ("init", ["--domain"]),
        ("backup", []),
        ("backup", ["a", "b"]),
        ("restore", []),
        ("restore", ["--force", "a"]),
        ("upgrade", ["--force"]),
        ("rollback", ["2"]),
    ],
)
def test_wrong_usage_is_told_with_exit_code_two(folder: Path, script: str, arguments: list[str]) -> None:
    told = run(folder, script, *arguments)

    assert told.returncode == 2
    assert "usage: " in told.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--domain", "example.org"],
        ["--domain=example.org", "--email=ops@example.org"],
        ["--domain", "example.org", "--bind", "10.8.0.1"],
        [],
    ],
    ids=" ".join,
)
def test_init_writes_what_mlp_init_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, shell: str, arguments: list[str]
) -> None:
    from mlp.cli.main import run as run_mlp

    folder.joinpath("python").mkdir()
    monkeypatch.chdir(folder / "python")

    told = run(folder, "init", *arguments, shell=shell)
    assert run_mlp(["init", *arguments]) == 0

    assert told.returncode == 0, told.stderr
    written = folder.joinpath(".env").read_text(encoding="utf-8")
    assert without_secrets(written) == without_secrets(Path(".env").read_text(encoding="utf-8"))
    assert stat.S_IMODE(folder.joinpath(".env").stat().st_mode) == 0o600
    secrets = re.findall(r"(?<![A-Za-z0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])", written)
    assert len(secrets) == len(set(secrets)) == len(re.findall("SECRET(?!=)", without_secrets(strong_text("a.b", "0"))))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--domain", "a$b.org"], "is no domain"),
        (["--domain", "a b"], "is no domain"),
        (["--domain", "x\nMLP_API_KEY=known"], "is no domain"),
        (["--bind", "localhost"], "is no IPv4 address"),
        (["--bind", "1.2.3.256"], "is no IPv4 address"),
        (["--email", "a'b@example.org"], "is no e-mail address"),
    ],
)
def test_init_refuses_what_would_break_the_file(folder: Path, arguments: list[str], told: str) -> None:
    refused = run(folder, "init", *arguments)

    assert refused.returncode == 2
    assert told in refused.stderr
    assert not folder.joinpath(".env").exists()


def test_init_leaves_a_file_that_is_there(folder: Path) -> None:
    folder.joinpath(".env").write_text("DOMAIN=mine\n")

    refused = run(folder, "init", "--domain", "example.org")

    assert refused.returncode == 1
    assert "nothing was written" in refused.stderr
    assert folder.joinpath(".env").read_text() == "DOMAIN=mine\n"


def test_init_follows_no_link(folder: Path) -> None:
    folder.joinpath(".env").symlink_to(folder / "elsewhere")

    assert run(folder, "init").returncode == 1
    assert not folder.joinpath("elsewhere").exists()


def test_backup_overwrites_nothing(folder: Path) -> None:
    file = folder / "backup.tar"
    file.write_text("of yesterday")

    refused = run(folder, "backup", file)

    assert refused.returncode == 1
    assert "is there already" in refused.stderr
    assert file.read_text() == "of yesterday"


@pytest.mark.parametrize(("script", "argument"), [("backup", "new.tar"), ("upgrade", ""), ("rollback", "")])
def test_script_without_an_engine_says_so_and_leaves_nothing_behind(folder: Path, script: str, argument: str) -> None:
    before = sorted(folder.rglob("*"))

    refused = run(folder, script, *([folder / argument] if argument else []))

    assert refused.returncode == 1
    assert f"{script}: there is no 'docker compose' here" in refused.stderr
    assert sorted(folder.rglob("*")) == before


def test_restore_of_a_file_that_is_no_backup_changes_nothing(folder: Path) -> None:
    file = folder / "backup.tar"
    file.write_bytes(b"\0" * 10240)

    refused = run(folder, "restore", "--yes", file)

    assert refused.returncode != 0
    assert "verify the file" in refused.stdout
    assert "no engine here" not in refused.stderr


def test_restore_of_a_damaged_backup_changes_nothing(folder: Path) -> None:
    folder.joinpath("manifest").write_text(f"mlp-backup 1\nfile {'0' * 64} 5 database.dump\n")
    folder.joinpath("database.dump").write_text("other")
    subprocess.run(["tar", "-cf", "backup.tar", "manifest", "database.dump"], cwd=folder, check=True, timeout=60)

    refused = run(folder, "restore", "--yes", folder / "backup.tar")

    assert refused.returncode == 1
    assert "database.dump" in refused.stderr
    assert "is damaged" in refused.stderr


def test_worker_of_a_second_machine_is_given_what_it_reads() -> None:
    published, worker = [
        yaml.safe_load(block.text) for block in blocks_of(page("howto/second-machine")) if block.language == "yaml"
    ]
    known = {
        name
        for key, field in Settings.model_fields.items()
        for name in (
            field.validation_alias.choices
            if isinstance(field.validation_alias, AliasChoices)
            else [f"MLP_{key.upper()}"]
        )
    }

    assert worker["services"].keys() == {"worker"}
    assert worker["services"]["worker"]["environment"].keys() <= known
    assert published["services"].keys() == {"database", "rabbitmq", "redis"}
