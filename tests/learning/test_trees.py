"""The walk through LightGBM's trees equals LightGBM's own prediction, whatever is missing; bad texts are refused."""

import lightgbm
import numpy as np
import pytest

from modules.learning.treecode import written
from modules.learning.trees import BadModel, Trees, parse

FEATURES = 12


def trained(seed: int, **parameters: object) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    table = holes(rng, 900)
    label = (np.nan_to_num(table[:, 0]) + 0.5 * np.nan_to_num(table[:, 1]) + rng.normal(size=900) > 0.4).astype(float)
    base = {"objective": "binary", "num_leaves": 31, "max_bin": 63, "num_threads": 1, "verbosity": -1, "seed": seed}
    return lightgbm.train({**base, **parameters}, lightgbm.Dataset(table, label), 60)


def holes(rng: np.random.Generator, rows: int) -> np.ndarray:
    table = rng.normal(size=(rows, FEATURES))
    table[rng.random(table.shape) < 0.15] = np.nan
    table[rng.random(table.shape) < 0.15] = 0.0
    return table


@pytest.mark.parametrize("parameters", [
    {}, {"use_missing": False}, {"zero_as_missing": True}, {"sigmoid": 0.7}, {"boost_from_average": False},
    {"scale_pos_weight": 5.0}, {"num_leaves": 4}, {"extra_trees": True},
])  # fmt: skip
def test_equals_lightgbm(parameters: dict[str, object]) -> None:
    for seed in (1, 2):
        booster = trained(seed, **parameters)
        trees = parse(booster.model_to_string())
        rows = holes(np.random.default_rng(seed + 50), 400)
        rows[0], rows[1], rows[2] = np.nan, 0.0, 1e-36
        ours = [trees.probability(row) for row in rows.tolist()]
        assert np.abs(booster.predict(rows) - ours).max() <= 1e-12
        function = written(trees)
        raw = [trees.raw(row) for row in rows.tolist()]
        assert function is not None and raw == [function(row) for row in rows.tolist()], "to the last bit"
        assert np.abs(booster.predict(rows, raw_score=True) - raw).max() <= 1e-12


def test_values_at_the_thresholds_go_left_as_in_lightgbm() -> None:
    booster = trained(3)
    trees = parse(booster.model_to_string())
    rng = np.random.default_rng(9)
    limits = np.array(trees.threshold)
    rows = rng.choice(limits, size=(300, FEATURES))
    assert np.abs(booster.predict(rows) - [trees.probability(row) for row in rows.tolist()]).max() <= 1e-12


def test_a_model_without_a_split_is_its_constant() -> None:
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(
        np.random.default_rng(1).normal(size=(100, 3)), np.zeros(100)), 10)
    trees = parse(booster.model_to_string())
    assert trees.probability([0.0, 1.0, 2.0]) == pytest.approx(booster.predict([[0.0, 1.0, 2.0]])[0], abs=1e-12)


def test_a_wrong_number_of_values_is_refused() -> None:
    trees = parse(trained(1).model_to_string())
    with pytest.raises(ValueError, match="12 features"):
        trees.raw([0.0] * 11)


def _edited(name: str, change: str) -> str:
    """A model's text with the first line `name=` changed."""
    lines = trained(1).model_to_string().split("\n")
    place = next(i for i, line in enumerate(lines) if line.startswith(f"{name}="))
    values = lines[place].removeprefix(f"{name}=").split()
    lines[place] = f"{name}=" + " ".join([change, *values[1:]])
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "change"), [
    ("left_child", "0"), ("left_child", "900"), ("right_child", "-900"), ("split_feature", "99"),
    ("split_feature", "-1"), ("leaf_value", "nan"), ("leaf_value", "words"), ("threshold", "nan"),
    ("decision_type", "1"), ("num_leaves", "7"), ("num_cat", "1"), ("objective", "regression"),
    ("num_tree_per_iteration", "3"), ("is_linear", "1"),
])  # fmt: skip
def test_what_could_crash_or_never_end_is_refused(name: str, change: str) -> None:
    with pytest.raises(BadModel):
        parse(_edited(name, change))


@pytest.mark.parametrize("text", ["", "tree", "hello\nTree=0\n", "tree\nobjective=binary\nTree=0\nnum_leaves=2"])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(BadModel):
        parse(text)


def test_trees_too_deep_to_be_written_are_walked() -> None:
    deep = 80
    chain = Trees(1, 1.0, (0,), [0] * deep, [float(-i) for i in range(deep)], [~i for i in range(deep)],
                  [*range(1, deep), ~deep], [~i for i in range(deep)], [float(i) for i in range(deep + 1)])
    assert written(chain) is None and chain.raw([-0.5]) == 0.0
