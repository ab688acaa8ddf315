"""The switch between TEST and LIVE as the head of messages: whatever is wrong with it, the message goes."""

from pathlib import Path

import pytest

from modules.exchange.types import Mode
from modules.execution.mode import TestMode as Switch
from modules.execution.mode import mode_file, mode_word
from utils.paths import Paths


@pytest.mark.parametrize("mode", list(Mode))
def test_the_word_is_that_of_the_switch(tmp_path: Path, mode: Mode) -> None:
    paths = Paths(tmp_path).prepare()
    mode_file(paths).save(Switch(test_mode=mode is Mode.TEST))
    assert mode_word(paths) == str(mode)


def test_a_switch_that_cannot_be_read_heads_nothing_and_stops_nothing(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    place = mode_file(paths).path
    place.write_text("{", "utf-8")
    place.with_name(place.name + ".bak").write_text("{", "utf-8")
    assert mode_word(paths) == ""
    place.unlink()
    place.mkdir()  # the disk's own refusal, as EIO would be
    assert mode_word(paths) == ""
