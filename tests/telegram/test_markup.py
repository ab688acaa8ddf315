"""Markup: safe, split without breaking a tag, never over a limit."""

from hypothesis import given
from hypothesis import strategies as st

from modules.telegram.markup import ansi, b, code, esc, length, lines, plain, pre, split
from tests.telegram.bot_api import parsed

words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs", "Cc"]),
                min_size=1, max_size=60)
pieces = st.lists(st.tuples(st.sampled_from([esc, b, code, lambda text: pre([text, text])]), words), min_size=1,
                  max_size=40)


@given(pieces, st.integers(200, 1000))
def test_every_part_is_whole_markup_and_fits(found: list, limit: int) -> None:
    text = "\n".join(make(word) for make, word in found)
    parts = split(text, limit)
    for part in parts:
        assert length(part) <= limit
        parsed(part, "HTML")  # refuses what Telegram would refuse
    assert "".join("".join(map(plain, parts)).split()) == "".join(plain(text).split())


def test_a_line_longer_than_a_message_is_cut_between_characters() -> None:
    parts = split(b("<&>" * 3000), 4096)
    assert len(parts) > 2 and "".join(map(plain, parts)) == "<&>" * 3000
    assert all(parsed(part, "HTML") for part in parts)


def test_a_table_over_the_cut_is_opened_again() -> None:
    parts = split(pre([f"row {number}" for number in range(100)]), 300)
    assert all(part.startswith("<pre>") and part.endswith("</pre>") for part in parts)


def test_emoji_count_as_two_units() -> None:
    assert length("🔴") == 2 and all(length(part) <= 4096 for part in split("🔴" * 4000))


def test_plain_and_terminal() -> None:
    assert plain("<b>a &lt; b</b> <code>x</code>") == "a < b x"
    assert ansi("<b>a</b>") == "\x1b[1ma\x1b[0m"


def test_lines_leaves_out_none_and_keeps_blank_ones() -> None:
    assert lines("a", None, "", "b") == "a\n\nb"
