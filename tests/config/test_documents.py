"""The documents name things that are there: links, files of the project, parts of bot.py, commands."""

import re
from pathlib import Path

import pytest

from config.crew import CREW
from modules.telegram.commands import all_commands
from utils.paths import PROJECT

MADE_LATER = {"config/.env", "config/config.local.yaml", "config/state.json",
               "config/apikeys.enc", "config/vault.key", "config/grid.key"}
PAGES = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md")])
ROOMS = "docs|scripts|benchmarks|modules|tests|config|deploy|utils"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) if "://" not in link]
    files = [name for name in re.findall(rf"`((?:{ROOMS})/[\w./-]*\w)`", text) if name not in MADE_LATER]
    assert not [link for link in links if not (page.parent / link).exists()]
    assert not [name for name in files if not (PROJECT / name).exists()]


def test_every_document_is_reached_from_the_readme() -> None:
    texts = {page.name: page.read_text("utf-8") for page in PAGES}
    reached, ahead = set(), ["README.md"]
    while ahead:
        name = ahead.pop()
        if name not in reached and name in texts:
            reached.add(name)
            ahead += re.findall(r"(\w+\.md)", texts[name])
    assert set(texts) == reached


def test_the_readme_names_commands_that_exist() -> None:
    known = {command.name for command in all_commands([service.name for service in CREW])}
    named = set(re.findall(r"`/(\w+)", (PROJECT / "README.md").read_text("utf-8")))
    assert named and named <= known
