"""The how-tos are followed as printed, all in one terminal: each goes on where ``your-own-model`` ended."""

import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from mlp import Client
from tests.docs.blocks import Block, blocks_of, page
from tests.docs.terminal import Terminal
from tests.servers import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform == "win32", reason="only on systems with a POSIX shell"),
]

CALLS = {block.language: block for block in blocks_of(page("howto/call-it"))[1:4]}


def has_node() -> bool:
    """Whether there is Node with fetch, which is 18 or later."""
    if shutil.which("node") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    return int(said.removeprefix("v").partition(".")[0] or 0) >= 18


@pytest.fixture(scope="module")
def own_model(terminal: Terminal) -> str:
    """What is printed by one who follows the first of the how-tos."""
    return terminal.follow(blocks_of(page("howto/your-own-model")))


def test_your_own_model_prints_what_the_page_shows(own_model: str, terminal: Terminal) -> None:
    shown = [block.text for block in blocks_of(page("howto/your-own-model")) if block.language == "text"]
    added, listed = shown[:2]

    # A remark goes to standard error, which here is the same place, and names the Python that runs.
    assert terminal.as_here(added) in re.sub(r"^(Warning|Note): .*\n", "", own_model, flags=re.MULTILINE)
    assert listed in own_model
    assert "leavers version 1 (champion), python" in own_model
    assert own_model.endswith("\n3 ()\n")


def test_own_model_page_says_what_cannot_be_captured_as_the_client_does(own_model: str, terminal: Terminal) -> None:
    (_added, _listed, refused, _mismatch) = [
        block.text for block in blocks_of(page("howto/your-own-model")) if block.language == "text"
    ]
    code = (
        "import joblib, mlp, numpy as np, pandas as pd\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "MEANS = np.array([1.0, 2.0])\n"
        "SCALER = StandardScaler()\n"
        "def prepare(frame):\n"
        "    return SCALER.transform(frame * MEANS[0])\n"
        "try:\n"
        "    mlp.Client().models.add('churn', joblib.load('model.joblib'), preprocess=prepare, example='rows.csv')\n"
        "except mlp.errors.CannotCapture as error:\n"
        "    print(error.message)\n"
    )

    printed = terminal.follow([Block("python", code, is_tested=True)])

    assert printed.split() == refused.split()


def test_mismatch_of_versions_is_said_as_on_the_page(own_model: str, terminal: Terminal) -> None:
    (*_others, mismatch) = [block.text for block in blocks_of(page("howto/your-own-model")) if block.language == "text"]
    terminal.write("old/mlp.toml", '[model]\n[trained_with.packages]\nscikit-learn = "1.4.2"\n')
    terminal.paste("cp model.joblib old/ && mlp models new spare && cp spare/example.json old/")

    printed = terminal.paste("mlp models add old old || true")

    before, has, after = mismatch.partition("this server has ")
    assert printed.startswith(before + has)
    assert printed.endswith(after.partition(":")[2])


def test_labels_from_a_csv_become_what_the_page_shows(own_model: str, terminal: Terminal) -> None:
    (checked,) = [
        block.text
        for block in blocks_of(page("howto/labels-from-a-csv"))
        if block.language == "text" and block.text.startswith("OUTCOME")
    ]

    blocks = blocks_of(page("howto/labels-from-a-csv"))
    (asking,) = [number for number, block in enumerate(blocks) if block.text.startswith("mlp predict")]
    terminal.follow(blocks[: asking + 1])
    with Client(f"http://localhost:{terminal.port}") as client:
        # Records reach the database a moment after the answer; a reader is slower than that.
        until(lambda: len(client.inferences("churn", key="crm-2")) == 1, 30.0)

    printed = terminal.follow(blocks[asking + 1 :])

    assert set(checked.splitlines()) <= set(printed.splitlines())
    assert "2026-03-01" in printed


def test_batch_files_are_answered_as_the_page_shows(own_model: str, terminal: Terminal) -> None:
    (shown,) = [
        block.text
        for block in blocks_of(page("howto/batch-files"))
        if block.language == "text" and block.text.startswith("answers.csv:")
    ]

    printed = terminal.follow(blocks_of(page("howto/batch-files")))

    assert set(shown.splitlines()[1:]) <= set(printed.splitlines())
    assert re.search(r"^answers\.csv: 4 rows by version \d+ of churn, \d+ rows/s$", printed, re.MULTILINE)
    assert "line,customer_id,label," in printed
    assert printed.endswith("\n4 1\n")


def test_calls_of_the_page_are_those_that_the_command_prints(own_model: str, terminal: Terminal) -> None:
    printed = {
        language: terminal.paste(f"mlp models show churn --call {word}")
        for language, word in (("sh", "curl"), ("javascript", "node"), ("python", "python"))
    }

    assert printed == {language: terminal.as_here(block.text) for language, block in CALLS.items()}


def test_call_it_runs_as_printed(own_model: str, terminal: Terminal) -> None:
    printed = terminal.follow(blocks_of(page("howto/call-it")))

    assert "input 'months', row 0: expected int64, got \"61\"" in printed
    assert "999 predictions of version 2" in printed


@pytest.mark.skipif(not has_node(), reason="only on machines with Node 18 or later")
def test_call_from_node_prints_the_answer(own_model: str, terminal: Terminal) -> None:
    terminal.write("call.mjs", CALLS["javascript"].text)

    answer = json.loads(terminal.paste("node call.mjs"))

    assert answer["model"] == "churn"


def test_runtime_of_another_package_serves_its_model(own_model: str, terminal: Terminal) -> None:
    blocks = blocks_of(page("howto/runtime"))
    (module,) = [block for block in blocks if block.caption == "mlp_runtime_linear.py"]
    (project,) = [tomllib.loads(block.text) for block in blocks if block.caption == "pyproject.toml"]
    install(terminal, module, project["project"])

    printed = terminal.follow(blocks)

    assert "house version 1 (champion), linear" in printed
    assert "223000" in printed


def install(terminal: Terminal, module: Block, project: dict[str, object]) -> None:
    """Put a package where Python finds it, with its entry points, as pip would."""
    points = project["entry-points"]
    assert isinstance(points, dict)
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in of.items()) for group, of in points.items()
    ]
    described = terminal.site / "mlp_runtime_linear-1.0.dist-info"
    described.mkdir()
    described.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: mlp-runtime-linear\nVersion: 1.0\n")
    described.joinpath("entry_points.txt").write_text("\n".join(lines))
    terminal.site.joinpath(module.caption).write_text(module.text)
