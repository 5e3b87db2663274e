"""The receiver of the page about webhooks runs as printed, beside a real server, and refuses what is forged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.docs.blocks import blocks_of, page
from tests.docs.terminal import free_port
from tests.models import sign_model
from tests.servers import Serve, until
from tests.webhook_receiver import SECRET, receiving

pytestmark = pytest.mark.slow

WEBHOOKS = {"MLP_WEBHOOK_SECRET": SECRET, "MLP_WEBHOOK_PRIVATE_ADDRESSES": "true"}


class PrintedReceiver:
    """receiver.py of the page in a process of its own; only its port is another."""

    def __init__(self, folder: Path) -> None:
        (code,) = [block.text for block in blocks_of(page("howto/webhooks")) if block.caption == "receiver.py"]
        self.port = free_port()
        assert "8400" in code
        (folder / "receiver.py").write_text(code.replace("8400", str(self.port)))
        self._output = folder / "receiver.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(folder / "receiver.py")],
                env={**os.environ, **WEBHOOKS},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(self._is_up, 30, self.printed)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def printed(self) -> str:
        """The jobs that it has taken, and what the module says of each request."""
        return self._output.read_text()

    def _is_up(self) -> bool:
        try:
            urllib3.request("GET", self.url, timeout=5, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return True


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[PrintedReceiver]:
    made = PrintedReceiver(tmp_path)
    yield made
    made.process.kill()
    made.process.wait(30)


def test_receiver_of_the_page_takes_genuine_calls_alone(
    serve: Serve, tmp_path: Path, receiver: PrintedReceiver
) -> None:
    server = serve(**WEBHOOKS)
    server.client.models.add("sign", sign_model(tmp_path / "sign"))

    job = server.client.jobs.submit("sign", [[1, 1]], webhook=receiver.url)

    until(lambda: f"job.succeeded {job.id}" in receiver.printed(), 60, receiver.printed)
    headers = {"webhook-id": "j1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    forged = urllib3.request("POST", receiver.url, body=json.dumps({"id": "j1"}), headers=headers, timeout=30)
    assert forged.status == 401
    assert "j1" not in receiver.printed().replace(job.id, "")


def test_call_that_the_page_shows_has_the_members_of_a_real_one(serve: Serve, tmp_path: Path) -> None:
    (shown, noted) = [json.loads(block.text) for block in blocks_of(page("howto/webhooks")) if block.language == "json"]
    server = serve(**WEBHOOKS)
    server.client.models.add("sign", sign_model(tmp_path / "sign"))

    with receiving() as other:
        job = server.client.jobs.submit("sign", [[1, 1]], webhook=other.url)
        until(lambda: len(other.received) == 1, 60)

    assert list(other.received[0].document) == list(shown)
    document = server.get(f"/v1/jobs/{job.id}").json()
    assert list(document["webhook"]) == list(noted["webhook"])
