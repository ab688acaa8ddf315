"""Tasks beside the scalper's loops: one of a name, every end told."""

import asyncio

from modules.strategies.scalper.named_tasks import NamedTasks


async def test_one_of_a_name_runs_and_every_end_is_told() -> None:
    told: list[tuple[str, BaseException | None]] = []
    begun: list[str] = []
    tasks = NamedTasks(lambda name, problem: told.append((name, problem)))
    gate = asyncio.Event()

    async def work(which: str, problem: Exception | None = None) -> None:
        begun.append(which)
        await gate.wait()
        if problem is not None:
            raise problem

    trouble = ValueError("no")
    tasks.start("a", work("first"))
    tasks.start("a", work("second"))
    tasks.start("b", work("other", trouble))
    await asyncio.sleep(0)
    assert begun == ["first", "other"] and set(tasks) == {"a", "b"}
    gate.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    await asyncio.sleep(0)
    assert sorted(told, key=lambda one: one[0]) == [("a", None), ("b", trouble)] and not tasks


async def test_the_end_cancels_what_runs_and_tells_it_as_no_failure() -> None:
    told: list[tuple[str, BaseException | None]] = []
    tasks = NamedTasks(lambda name, problem: told.append((name, problem)))

    async def for_ever() -> None:
        await asyncio.Event().wait()

    tasks.start("a", for_ever())
    await tasks.end()
    await asyncio.sleep(0)
    assert told == [("a", None)] and not tasks
