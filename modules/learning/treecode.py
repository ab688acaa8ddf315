"""Trees as one Python function of nested comparisons: a third of the time of the walk, for a model that is asked often.

The source is written from the numbers of checked trees only (trees.parse): whole numbers, and floats as their own
literals. No text of a model file ever gets into it, so a foreign file can still run nothing. Its answers are those of
`Trees.raw` to the last bit (same comparisons, same order of the sum).
"""

from collections.abc import Callable

from modules.learning.trees import ZERO, Trees

DEEPEST = 60  # nested comparisons; Python's own parser ends at about a hundred
Raw = Callable[[list[float]], float]


def written(trees: Trees) -> Raw | None:
    """The function of a row (`trees.features` floats) that adds up its leaves; None for trees that are too deep."""
    lines = ["def raw(row):", *_values(trees), " total = 0.0"]
    for root in trees.roots:
        text = _expression(trees, root, 0)
        if text is None:
            return None
        lines.append(f" total += {text}")
    space: dict[str, Raw] = {}
    exec(compile("\n".join([*lines, " return total"]), "trees", "exec"), {"__builtins__": {}}, space)
    return space["raw"]


def _values(trees: Trees) -> list[str]:
    """The values that the splits ask for, as rule 2 of trees.py wants them (`trees.tripled`, only what is used)."""
    lines: list[str] = []
    for place in sorted(set(trees.feature)):
        third, at = divmod(place, trees.features)
        lines.append(f" value = row[{at}]")
        lines.append(f" v{place} = 0.0 if -{ZERO!r} <= value <= {ZERO!r} else value")
        if third == 1:
            lines.append(f" v{place} = v{place} if v{place} == v{place} else 0.0")
        elif third == 2:
            lines.append(f" v{place} = v{place} or 1e999 - 1e999")
    return lines


def _expression(trees: Trees, node: int, depth: int) -> str | None:
    if node < 0:
        return _number(trees.leaf[~node])
    if depth > DEEPEST:
        return None
    left, right = (_expression(trees, side[node], depth + 1) for side in (trees.left, trees.right))
    if left is None or right is None:
        return None
    value, limit = f"v{int(trees.feature[node])}", _number(trees.threshold[node])
    # NaN makes every comparison false: written so that it falls to the split's default side.
    goes_left = f"not {value} > {limit}" if trees.missing[node] == trees.left[node] else f"{value} <= {limit}"
    return f"({left} if {goes_left} else {right})"


def _number(value: float) -> str:
    """A float as its own literal; infinity as one that is too large."""
    return repr(float(value)).replace("inf", "1e999")
