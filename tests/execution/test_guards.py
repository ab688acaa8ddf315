"""The table of guards is true to the source: each stands where it says, once, and its test is there."""

import ast

import pytest

from tests.execution.guards import GUARDS, Guard
from utils.paths import PROJECT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.rule)
def test_the_guard_stands_where_the_table_says_and_its_test_exists(guard: Guard) -> None:
    source = (PROJECT / guard.file).read_text(encoding="utf-8")
    assert source.count(guard.old) == 1, "the guard has moved: tell the table"
    ast.parse(source.replace(guard.old, guard.new))  # the mutant is a program that runs
    file, _, name = guard.test.partition("::")
    tests = {node.name for node in ast.walk(ast.parse((PROJECT / file).read_text(encoding="utf-8")))
             if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")}
    assert tests and (not name or name.partition("[")[0] in tests)


def test_every_rule_of_sending_and_comparing_is_in_the_table() -> None:
    named = {guard.rule.split()[0] for guard in GUARDS}
    numbers = (*range(1, 6), *range(7, 12), *range(13, 22), 24, 25)
    assert {f"X{number}" for number in numbers} <= named
