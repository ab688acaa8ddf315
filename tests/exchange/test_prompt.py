"""A read that hangs is asked a second time; the first answer counts, and nothing is left behind."""

import asyncio

import pytest

from modules.exchange import prompt
from modules.exchange.prompt import promptly
from modules.exchange.types import Unavailable


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "PROMPT_S", 0.005)


class Venue:
    """Answers by number: a text, "hangs", or a failure."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers, self.asked, self.ended = answers, 0, 0
        self.second = asyncio.Event()

    async def ask(self) -> str:
        answer = self.answers[self.asked]
        self.asked += 1
        try:
            if self.asked == 2:
                self.second.set()
            if answer == "hangs":
                await asyncio.Event().wait()
            if answer == "late":
                await self.second.wait()
            if isinstance(answer, Exception):
                raise answer
            return str(answer)
        finally:
            self.ended += 1


async def test_an_answer_that_comes_at_once_is_asked_for_once() -> None:
    venue = Venue("here")
    assert await promptly(venue.ask) == "here" and venue.asked == 1


async def test_where_the_first_hangs_the_second_answers_and_the_first_is_given_up() -> None:
    venue = Venue("hangs", "here")
    assert await promptly(venue.ask) == "here"
    assert (venue.asked, venue.ended) == (2, 2)


async def test_the_first_may_still_answer_before_the_second() -> None:
    venue = Venue("late", "hangs")
    assert await promptly(venue.ask) == "late"
    assert (venue.asked, venue.ended) == (2, 2)


async def test_one_failure_waits_for_the_other_answer() -> None:
    venue = Venue("late", Unavailable("no"))
    assert await promptly(venue.ask) == "late"


async def test_where_both_fail_it_fails_and_a_failure_at_once_is_not_asked_again() -> None:
    once = Venue(Unavailable("refused"))
    with pytest.raises(Unavailable, match="refused"):
        await promptly(once.ask)
    assert once.asked == 1
    slow = Unavailable("slow")

    class Slow(Venue):
        async def ask(self) -> str:
            self.asked += 1
            if self.asked == 2:
                self.second.set()
            await self.second.wait()
            raise slow

    both = Slow()
    with pytest.raises(Unavailable, match="slow"):
        await promptly(both.ask)
    assert both.asked == 2


async def test_who_waits_no_more_leaves_nothing_behind() -> None:
    venue = Venue("hangs", "hangs")
    task = asyncio.create_task(promptly(venue.ask))
    await venue.second.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert venue.ended == 2
