"""What the learning costs: features, one training, one prediction, memory. ``python benchmarks/learning.py [--json]``.

Each figure stands beside a peer measured in the same run (PEERS: use ratios, the machine is noisy).
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import numpy as np

from modules.learning import datasets, features, fit, jobs, modelfiles
from modules.learning.datasets import Bars
from modules.learning.labels import Rule
from modules.learning.predictor import Predictor
from modules.learning.settings import LearningSettings
from modules.learning.treecode import written
from modules.learning.trees import parse
from utils.paths import PROJECT

RULE = Rule(6 * 3_600_000, 5.0)
BARS = Bars(3.0, 5.0, 2.0)


def walk(count: int, seed: int) -> features.Floats:
    """Candles of a random walk wild enough to make labels of both kinds."""
    rng = np.random.default_rng(seed)
    close = np.exp(np.cumsum(rng.standard_t(4, count) * 0.004))
    opens = np.concatenate([close[:1], close[:-1]])
    spread = 1 + np.abs(rng.normal(0, 0.002, count))
    times = 1_700_000_100_000 + np.arange(count) * float(features.STEP_MS)
    high, low = np.maximum(opens, close) * spread, np.minimum(opens, close) / spread
    return np.column_stack([times, opens, high, low, close, rng.gamma(2.0, 1000.0, count)])


def timed(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median, best and worst milliseconds of one call."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1e3)
    return {"median_ms": statistics.median(taken), "best_ms": min(taken), "worst_ms": max(taken)}


def measure() -> dict[str, Any]:
    """Every figure."""
    found: dict[str, Any] = {"machine": platform.platform(), "python": platform.python_version()}
    live = walk(500, 1)
    found["features_500_candles"] = timed(lambda: features.compute(live), 200)
    many = [walk(500, seed) for seed in range(100)]
    found["features_500_tokens"] = timed(lambda: [features.compute(candles) for candles in many * 5], 5)
    found |= _training()
    found |= _prediction(live)
    found["memory_mb"] = {
        "features": _memory("import modules.learning.features"),
        "predictor": _memory("import modules.learning.predictor"),
        "worker after a fit": _memory(_FIT),
        "LightGBM imported plainly": _memory("import lightgbm"),
    }
    return found


def _training() -> dict[str, Any]:
    """One fit of 1,000 rows, 100 trees, 31 leaves; one token with its validation; the peer's plain defaults."""
    lightgbm = fit.load_lightgbm()
    settings = LearningSettings()
    candles = walk(1072 + datasets.SETTLED, 3)
    rows = datasets.token_rows(candles, RULE, BARS)
    table, label = rows.features[:1000], rows.labels[:1000]
    full = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 31, "seed": 7}

    def plain(**more: Any) -> Any:
        return lightgbm.train({**full, **more}, lightgbm.Dataset(table, label, params=more), 100)

    with tempfile.TemporaryDirectory() as folder:
        recipe = jobs.recipe(Path(folder), settings, BARS)
        job = jobs.TokenJob(recipe, "ABCUSDT", jobs.pack(candles), int(candles[-1, 0]) + features.STEP_MS)
        whole = timed(lambda: jobs.run(job), 10)
    return {
        "fit_1000_rows_100_trees": timed(lambda: fit.train(table, label, settings), 20),
        "peer_fit_lightgbm_default_31_leaves": timed(plain, 20),
        "peer_fit_lightgbm_max_bin_63": timed(lambda: plain(max_bin=63, deterministic=True, force_col_wise=True), 20),
        "token_from_candles_to_files_with_validation": whole,
    }


def _prediction(live: features.Floats) -> dict[str, Any]:
    """One row by our walk and by LightGBM, and one candidate from candles to both models."""
    lightgbm = fit.load_lightgbm()
    rng = np.random.default_rng(5)
    table = rng.normal(size=(4000, len(features.FEATURES)))
    label = (table[:, 0] + table[:, 1] * table[:, 2] + rng.normal(size=4000) > 0).astype(float)
    big = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 31, "max_bin": 63},
                         lightgbm.Dataset(table, label), 100)  # full trees: the dearest case
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        candles = walk(1200, 3)
        recipe = jobs.recipe(folder, LearningSettings(), BARS)
        now = int(candles[-1, 0]) + features.STEP_MS
        jobs.run(jobs.TokenJob(recipe, "ABCUSDT", jobs.pack(candles), now))
        card = modelfiles.read_manifest(folder, "ABCUSDT")
        loaded = modelfiles.load(folder, "ABCUSDT")
        assert isinstance(card, modelfiles.Manifest) and isinstance(loaded, modelfiles.Loaded)
        text = big.model_to_string()
        jobs.run(jobs.TokenJob(recipe, "OWNUSDT", jobs.pack(candles), now))
        for owner in (modelfiles.FEEDBACK, "ABCUSDT"):
            changed = msgspec.structs.replace(card, name=owner)
            modelfiles.save(folder, changed, text, loaded.scaler)
        predictor = Predictor(folder)
        row = features.compute(live)[-1].tolist()
        array = np.array([row])

        values = rng.normal(size=big.num_feature()).tolist()
        full = [parse(text) for _ in range(4)]  # different lists in memory, as different models have
        own = [modelfiles.load(folder, "OWNUSDT") for _ in range(4)]
        function = written(full[0])
        assert function is not None and all(isinstance(each, modelfiles.Loaded) for each in own)

        def many_full() -> None:
            for number in range(2000):
                full[number % 4].raw(values)

        def many_own() -> None:
            for number in range(2000):
                own[number % 4].trees.raw(values)  # type: ignore[union-attr]

        def candidate() -> None:
            made = features.compute(live)[-1].tolist()
            predictor.feedback(made)
            predictor.token("ABCUSDT", made)

        return {
            "load_one_model": timed(lambda: modelfiles.load(folder, "ABCUSDT"), 30),
            "predict_one_row": timed(lambda: predictor.feedback(row), 500),
            "predict_one_row_trees_only": timed(lambda: function(values), 500),
            "predict_2000_tokens_own_models": timed(many_own, 5),
            "predict_2000_tokens_full_31_leaves": timed(many_full, 5),
            "peer_predict_booster": timed(lambda: big.predict(array), 500),
            "candidate_500_candles_to_both_models": timed(candidate, 200),
        }


_FIT = """
import numpy as np
from modules.learning import fit
from modules.learning.settings import LearningSettings
rng = np.random.default_rng(1); x = rng.normal(size=(1000, 47))
fit.train(x, (x[:, 0] > 0).astype(float), LearningSettings())
"""


def _memory(code: str) -> float:
    """Resident megabytes of a fresh process that has run `code`."""
    tail = "\nimport psutil; print(psutil.Process().memory_info().rss / 1e6)"
    run = subprocess.run([sys.executable, "-c", code + tail], cwd=PROJECT, capture_output=True, text=True, check=True)
    return float(run.stdout.split()[-1])


def main(argv: list[str]) -> int:
    """Print the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    found = measure()
    if parser.parse_args(argv).json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        if isinstance(value, dict) and "median_ms" in value:
            print(f"{name:48} median {value['median_ms']:9.3f} ms   best {value['best_ms']:9.3f}   "
                  f"worst {value['worst_ms']:9.3f}")
        elif isinstance(value, dict):
            for what, figure in value.items():
                print(f"{name + ': ' + what:48} {figure:9.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
