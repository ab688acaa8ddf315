"""LightGBM's text model as flat arrays, and a walk through its trees: prediction without LightGBM.

1. A split sends a value left if value <= threshold. What is missing goes to the split's default side:
   NaN where the split's missing type is NaN; NaN and 0 where it is Zero; where it is None a NaN counts as 0.
2. Each node reads its value from a row three times as long as the features: as given; NaN as 0; NaN and 0 as
   NaN. So every missing type becomes "NaN goes to the default side" and the walk has one form.
3. A child's index is above its parent's (LightGBM numbers splits as it makes them); anything else is refused, so
   that a walk always ends. Categorical splits and linear leaves are refused: we never make them.

Source: LightGBM ``src/io/tree.cpp`` (``Tree::ToString``), ``include/LightGBM/tree.h`` (``NumericalDecision``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ZERO = 1.0000000180025095e-35  # kZeroThreshold, a float32
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NAN = float("nan")
_KINDS = {0: 1, 4: 2, 8: 0}  # missing type bits → which third of the row (rule 2)


class BadModel(Exception):
    """The text is not a model that can be walked. The message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Trees:
    """A binary model. Nodes of all trees lie in one list; a child below 0 is the leaf ``~child``."""

    features: int
    sigmoid: float
    roots: tuple[int, ...]
    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    missing: list[int]  # the side for NaN
    leaf: list[float]

    def raw(self, row: Sequence[float]) -> float:
        """The sum of the leaves that `row` (`features` floats) falls into: log odds over `sigmoid`."""
        if len(row) != self.features:
            raise ValueError(f"{len(row)} values given, the model has {self.features} features")
        values = tripled(row)
        feature, threshold = self.feature, self.threshold
        left, right, missing, leaf = self.left, self.right, self.missing, self.leaf
        total = 0.0
        for node in self.roots:
            while node >= 0:
                value = values[feature[node]]
                if value <= threshold[node]:
                    node = left[node]
                elif value == value:
                    node = right[node]
                else:
                    node = missing[node]
            total += leaf[~node]
        return total

    def probability(self, row: Sequence[float]) -> float:
        """The model's own (uncalibrated) probability: 1 / (1 + exp(−sigmoid · raw))."""
        return 1.0 / (1.0 + math.exp(-self.sigmoid * self.raw(row)))


def parse(text: str) -> Trees:
    """`text` as ``Booster.model_to_string`` made it. Raises BadModel."""
    head, *blocks = text.split("\nTree=")
    facts = _facts(head)
    if not head.startswith("tree") or not blocks:
        raise BadModel("it is not a LightGBM model with trees")
    objective = facts.get("objective", "").split()
    if not objective or objective[0] != "binary" or facts.get("num_tree_per_iteration") != "1":
        raise BadModel(f"its objective is {facts.get('objective', 'not given')}, only binary is used here")
    if "\naverage_output" in head:
        raise BadModel("it averages its trees (random forest), which is not used here")
    sigmoid = next((float(part[8:]) for part in objective if part.startswith("sigmoid:")), 1.0)
    try:
        trees = Trees(int(facts["max_feature_idx"]) + 1, sigmoid, (), [], [], [], [], [], [])
        roots = tuple(_add(trees, _facts(block)) for block in blocks)
    except (KeyError, ValueError, IndexError) as problem:
        raise BadModel(f"a tree cannot be read ({problem})") from None
    return Trees(trees.features, sigmoid, roots, trees.feature, trees.threshold, trees.left, trees.right,
                 trees.missing, trees.leaf)


def _facts(block: str) -> dict[str, str]:
    """``name=value`` lines up to the first empty line after some were found."""
    found: dict[str, str] = {}
    for line in block.split("\n"):
        name, sign, value = line.partition("=")
        if sign:
            found[name] = value
        elif found and not line.strip():
            break
    return found


def _add(trees: Trees, facts: dict[str, str]) -> int:
    """Append one tree; returns its root (a node, or ``~leaf`` for a tree without a split)."""
    leaves = [float(value) for value in facts["leaf_value"].split()]
    if facts.get("num_cat", "0") != "0" or facts.get("is_linear", "0") != "0":
        raise ValueError("categorical splits or linear leaves")
    count = int(facts["num_leaves"])
    if count != len(leaves) or not all(map(math.isfinite, leaves)):
        raise ValueError(f"{count} leaves announced, {len(leaves)} given, or not finite")
    node_base, leaf_base = len(trees.feature), len(trees.leaf)
    trees.leaf.extend(leaves)
    if count == 1:
        return ~leaf_base
    splits = [facts[name].split() for name in ("split_feature", "threshold", "decision_type", "left_child",
                                               "right_child")]  # fmt: skip
    if any(len(column) != count - 1 for column in splits):
        raise ValueError("a tree with missing splits")
    for index, (feature, threshold, decision, left, right) in enumerate(zip(*splits, strict=True)):
        kind, limit = int(decision), float(threshold)
        if kind & _CATEGORICAL or not 0 <= int(feature) < trees.features or math.isnan(limit):
            raise ValueError(f"split {index} is not one on a known feature")
        sides = [_child(int(side), index, count, node_base, leaf_base) for side in (left, right)]
        trees.feature.append(int(feature) + trees.features * _KINDS[kind & 12])
        trees.threshold.append(limit)
        trees.left.append(sides[0])
        trees.right.append(sides[1])
        trees.missing.append(sides[0] if kind & _DEFAULT_LEFT else sides[1])
    return node_base


def _child(child: int, parent: int, leaves: int, node_base: int, leaf_base: int) -> int:
    """A child's place in the common lists; checked (rule 3)."""
    if child >= 0:
        if not parent < child < leaves - 1:
            raise ValueError(f"split {parent} leads back to {child}")
        return node_base + child
    if ~child >= leaves:
        raise ValueError(f"split {parent} leads to a leaf that is not there")
    return ~(leaf_base + ~child)


def tripled(row: Sequence[float]) -> list[float]:
    """The row as rule 2 wants it: as given, NaN as 0, and 0 as NaN."""
    # LightGBM reads a row as a sparse one: what is no larger than its zero is 0 (Predictor, RowPairFunction).
    values = [0.0 if -ZERO <= value <= ZERO else value for value in map(float, row)]
    zeroed = [value if value == value else 0.0 for value in values]
    return [*values, *zeroed, *[value or _NAN for value in zeroed]]
