"""Upgrade and rollback under load: no request fails, no job is lost; a release that does not start harms nobody."""

import pytest

from tests.stack.compose import SERVICES, Compose
from tests.stack.traffic import Traffic

pytestmark = pytest.mark.timeout(900)


def _image_of(compose: Compose, service: str) -> set[str]:
    names = [each["Name"] for each in compose.states() if each["Service"] == service]
    return set(compose.run("docker", "inspect", "--format", "{{.Image}}", *names).split())


def _make_release(compose: Compose, name: str) -> None:
    """A next release: the same code under another number."""
    source = compose.folder / "src" / "mlp" / "__init__.py"
    text = source.read_text()
    marker = f"\n# {name}\n"
    source.write_text(text + marker)


def test_upgrade_and_rollback_fail_no_request(compose: Compose) -> None:
    old = _image_of(compose, "api")
    _make_release(compose, "the next release")

    with Traffic() as traffic:
        print("\n" + compose.script("upgrade", timeout_seconds=600))
    new = _image_of(compose, "api")
    print(f"upgrade: {traffic.predictions.failed} of {traffic.predictions.sent} predictions failed, ", end="")
    print(f"{traffic.jobs.failed} of {traffic.jobs.sent} jobs")
    assert new.isdisjoint(old)
    assert traffic.predictions.failed == {}
    assert traffic.jobs.failed == {}
    compose.wait_jobs_succeeded(traffic.jobs.ids)

    with Traffic() as traffic:
        print("\n" + compose.script("rollback", timeout_seconds=600))
    print(f"rollback: {traffic.predictions.failed} of {traffic.predictions.sent} predictions failed, ", end="")
    print(f"{traffic.jobs.failed} of {traffic.jobs.sent} jobs")
    assert _image_of(compose, "api") == old
    assert traffic.predictions.failed == {}
    assert traffic.jobs.failed == {}
    compose.wait_jobs_succeeded(traffic.jobs.ids)
    compose.wait_well(*SERVICES)


def test_release_that_does_not_start_leaves_the_old_one_serving(compose: Compose) -> None:
    old = _image_of(compose, "api")
    broken = compose.folder / "src" / "mlp" / "api" / "server.py"
    text = broken.read_text()
    broken.write_text(text + "\nraise SystemExit('this release does not start')\n")

    with Traffic(has_jobs=False) as traffic:
        printed = compose.script("upgrade", timeout_seconds=600, check=False)
    broken.write_text(text)

    assert "this release does not start" in printed
    assert traffic.predictions.failed == {}
    assert _image_of(compose, "api") == old
