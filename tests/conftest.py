"""What a whole run of the tests shares, also between its workers: compiled code, and a last line about databases."""

import shutil
from pathlib import Path

import pytest

KEPT = Path(__file__).resolve().parents[1] / ".pytest_cache"


@pytest.fixture(scope="session")
def compiled_cache() -> Path:
    """Where numba keeps the backtest's kernels: one folder for all workers and for later runs of the same sources."""
    from modules.backtest.prepare import digest

    folder = KEPT / f"compiled-{digest()}"
    for old in KEPT.glob("compiled-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which databases the tests talked to: here, because workers have no terminal."""
    ran = {report.nodeid for reports in terminalreporter.stats.values() for report in reports
           if hasattr(report, "nodeid")}
    if any(node.startswith("tests/storage/sql/") for node in ran):
        from tests.storage.sql.servers import told

        terminalreporter.write_line(told())
