"""Pytest plug-in: leaves out the tests that this machine cannot run, and says so in one line at the end.

With ``MLP_TEST_REQUIRE_ALL=1`` (continuous integration) anything left out or skipped is a failure; a skip may stay if
its reason begins with "only on", such as "only on Windows".
"""

import os

import pytest

from tests.postgres_guard import find_programs

_LEFT_OUT = pytest.StashKey[int]()
_SKIPPED = pytest.StashKey[list[str]]()
_SKIPS_ALLOWED = "only on "


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = 0
    config.stash[_SKIPPED] = []
    config.pluginmanager.register(_SkipCount(config), "mlp-skip-count")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_programs() is not None:
        return
    left_out = [item for item in items if item.get_closest_marker("postgres")]
    items[:] = [item for item in items if not item.get_closest_marker("postgres")]
    config.stash[_LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)


class _SkipCount:
    """Remembers why tests were skipped, for the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._reasons = config.stash[_SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._add(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._add(report.nodeid, report.longrepr)

    def _add(self, node_id: str, outcome: object) -> None:
        reason = outcome[2] if isinstance(outcome, tuple) else str(outcome)
        if not reason.removeprefix("Skipped: ").startswith(_SKIPS_ALLOWED):
            self._reasons.append(f"{node_id}: {reason}")


def _is_incomplete(config: pytest.Config) -> bool:
    return bool(config.stash[_LEFT_OUT] or config.stash[_SKIPPED])


def _must_be_complete() -> bool:
    return os.environ.get("MLP_TEST_REQUIRE_ALL", "") not in ("", "0")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _must_be_complete() and _is_incomplete(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[_LEFT_OUT]:
        count = config.stash[_LEFT_OUT]
        tests = "1 test that needs" if count == 1 else f"{count} tests that need"
        terminalreporter.write_line(f"left out: {tests} PostgreSQL (apt-get install postgresql)", yellow=True)
    if _must_be_complete() and _is_incomplete(config):
        missing = config.stash[_LEFT_OUT] + len(config.stash[_SKIPPED])
        terminalreporter.write_line(f"failed: MLP_TEST_REQUIRE_ALL is set, and {missing} tests did not run", red=True)
