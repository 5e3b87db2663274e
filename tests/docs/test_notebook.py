"""The notebook of the examples runs from its first cell to its last against a real server."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.architecture.source_tree import ROOT
from tests.servers import Serve

CELL_SECONDS = 300


@pytest.mark.slow
@pytest.mark.timeout(900)
# What Jupyter itself does while it starts and ends a kernel.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter|nbclient|zmq|tornado)", "ignore::ResourceWarning")
def test_notebook_makes_a_service_of_a_pipeline_with_lightgbm(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    monkeypatch.setenv("MLP_URL", server.url)
    text = (ROOT / "examples" / "churn.ipynb").read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]

    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3").execute()

    assert shown_by(notebook, "ask") == "True"
    assert float(shown_by(notebook, "fit").removeprefix("np.float64(").removesuffix(")")) == pytest.approx(
        0.7, abs=0.05
    )
    assert shown_by(notebook, "labels").endswith("repeated=0, changed=0, late=0, rejected=[])")
    assert shown_by(notebook, "quality").startswith("(1.0, 0.7")
    version = server.client.models.version("churn")
    assert [item.dtype for item in version.signature.inputs] == ["datetime", "string", "int64", "float64"]
    assert version.warnings == ()
    assert version.has_reference


def shown_by(notebook: Any, cell_id: str) -> str:
    """What the last line of a cell is shown as."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    (shown,) = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    return str(shown)
