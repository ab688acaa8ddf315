"""Numbers shared by processes: the lock dies with its holder, and a page is whole or new."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.exchange.page import Busy, Page, SharedPage, peek

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, pathlib
from modules.exchange.page import SharedPage
page = SharedPage(pathlib.Path(sys.argv[1]), 8)
with page.held():
    page.cells[3] = 7.0
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "page"


@pytest.fixture
def page(file: Path) -> Iterator[SharedPage]:
    opened = SharedPage(file, 8)
    yield opened
    opened.close()


def test_others_see_what_one_writes(file: Path, page: SharedPage) -> None:
    other = SharedPage(file, 8)
    with page.held():
        page.cells[1] = 2.5
    assert other.cells.tolist() == [0, 2.5, 0, 0, 0, 0, 0, 0]
    found = peek(file, 8)
    assert found is not None and found[1] == 2.5
    other.close()


def test_one_holds_at_a_time(file: Path, page: SharedPage) -> None:
    other = SharedPage(file, 8)
    with page.held():
        with pytest.raises(Busy):
            with other.held():
                pass
    with other.held():
        pass
    other.close()


def test_a_process_that_is_killed_while_it_holds_blocks_nobody(file: Path, page: SharedPage) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], cwd=ROOT, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdin is not None
    try:
        assert child.stdout.readline().strip() == "held"
        with pytest.raises(Busy):
            with page.held():
                pass
    finally:
        child.kill()
        child.wait(60)
        child.stdin.close()
        child.stdout.close()
    with page.held():
        assert page.cells[3] == 7.0


def test_a_file_of_another_size_begins_anew(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a page")
    assert peek(file, 8) is None
    page = SharedPage(file, 8)
    assert page.cells.tolist() == [0.0] * 8
    page.close()


def test_closed_it_is_a_page_of_its_own(file: Path, page: SharedPage) -> None:
    page.cells[0] = 5.0
    page.close()
    page.close()
    with page.held():
        page.cells[0] = 6.0
    found = peek(file, 8)
    assert found is not None and found[0] == 5.0


def test_no_page_without_a_disk(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(OSError):
        SharedPage(tmp_path / "run" / "page", 8)
    assert peek(tmp_path / "run" / "page", 8) is None
    assert Page(3).cells.tolist() == [0, 0, 0]
