"""What lasts is told once, and again only after a silence or half an hour."""

from modules.execution.futures.episodes import AGAIN_S, QUIET_S, Episodes
from modules.execution.futures.plan import Word


def test_a_word_of_every_look_is_told_once_an_episode() -> None:
    now, heard = [1000.0], list[str]()
    say = Episodes(lambda word: heard.append(word.what), lambda: now[0])
    for number in range(60):
        say(Word("near ETHUSDT", f"liquidation is {number} % away"))
        say(Word("gap equity wallet", "wallet differs")) if number % 15 == 0 else None
        now[0] += 2.0
    assert heard == ["liquidation is 0 % away", "wallet differs"]
    now[0] += QUIET_S
    say(Word("near ETHUSDT", "liquidation is near again"))
    assert heard[2:] == ["liquidation is near again"], "a new episode"


def test_what_lasts_is_told_again_each_half_hour() -> None:
    now, heard = [0.0], list[float]()
    say = Episodes(lambda word: heard.append(now[0]), lambda: now[0])
    while now[0] <= 2 * AGAIN_S:
        say(Word("bare ETHUSDT", "no stop"))
        now[0] += 10.0
    assert heard == [0.0, AGAIN_S, 2 * AGAIN_S]
