#!/usr/bin/env python3
"""Train, choose and measure the local sentiment model. Needs scikit-learn and vaderSentiment; using it does not.

    python scripts/train_sentiment.py --data DIR               # DIR holds twitter_financial_news_sent_{train,valid}.csv
    python scripts/train_sentiment.py --data DIR --measure     # only the measurement of what ships

Data: zeroshot/twitter-financial-news-sentiment, MIT (label 0 bearish, 1 bullish, 2 neutral). All choices (C, class
weight, temperature, VADER's threshold) are made on the training file by cross-validation; the other is only measured.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modules.sentiment import features
from modules.sentiment.model import CLASSES, FILE, HeadlineModel, save
from modules.sentiment.text import clean, fingerprint

VERSION = "2026.11"
FOLDS = 5


def read(folder: Path, part: str) -> tuple[list[str], Any]:
    """Texts and labels of one file."""
    with open(folder / f"twitter_financial_news_sent_{part}.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [row["text"] for row in rows], np.array([int(row["label"]) for row in rows])


def matrix(texts: list[str]) -> tuple[Any, Any]:
    """Hashed n-grams (sparse, ones) and dense features of cleaned texts."""
    import scipy.sparse as sparse
    rows = [features.grams(text) for text in texts]
    starts = np.cumsum([0, *map(len, rows)])
    flat = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    return (sparse.csr_matrix((np.ones(len(flat)), flat, starts), shape=(len(rows), features.SIZE)),
            np.array([features.dense(text) for text in texts]))


def weighted(counts: Any, side: Any, idf: Any) -> Any:
    """n-grams by idf, each row of length 1, and the dense features beside them."""
    import scipy.sparse as sparse
    held = counts @ sparse.diags(idf)
    length = np.sqrt(np.asarray(held.multiply(held).sum(axis=1)).ravel())
    return sparse.hstack([sparse.diags(1 / np.where(length > 0, length, 1)) @ held, sparse.csr_matrix(side)]).tocsr()


def idf_of(counts: Any) -> Any:
    """Smoothed inverse document frequency; 0 for what occurs once."""
    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    return np.where(seen >= 2, np.log((1 + counts.shape[0]) / (1 + seen)) + 1, 0.0)


def fitted(x: Any, y: Any, c: float, sides: float) -> tuple[Any, Any]:
    """Weights (3, columns) and biases (3,): one logistic regression a class; rows that take a side weigh `sides`."""
    from sklearn.linear_model import LogisticRegression
    weigh = np.where(y == 2, 1.0, sides)
    each = [LogisticRegression(C=c, solver="liblinear", dual=True, max_iter=300, random_state=7)
            .fit(x, y == k, sample_weight=weigh) for k in range(3)]
    return np.vstack([one.coef_ for one in each]), np.concatenate([one.intercept_ for one in each])


def crossed(counts: Any, side: Any, y: Any, c: float, sides: float) -> Any:
    """Decision values (n, 3), each by a model that did not see the row."""
    from sklearn.model_selection import StratifiedKFold
    out = np.zeros((len(y), 3))
    for learn, judge in StratifiedKFold(FOLDS, shuffle=True, random_state=7).split(side, y):
        idf = idf_of(counts[learn])
        weights, bias = fitted(weighted(counts[learn], side[learn], idf), y[learn], c, sides)
        out[judge] = weighted(counts[judge], side[judge], idf) @ weights.T + bias
    return out


def temperature_of(values: Any, y: Any) -> float:
    """The temperature with the smallest log loss."""
    def loss(t: float) -> float:
        scaled = values / t
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(y)), y]).mean())
    return float(min(np.arange(0.3, 3.0, 0.02), key=loss))


def macro_f1(y: Any, said: Any) -> float:
    """Mean of the three F1."""
    both = [((y == k) & (said == k)).sum() * 2 / max(1, (y == k).sum() + (said == k).sum()) for k in range(3)]
    return float(np.mean(both))


def measured(provider: Any, texts: list[str], y: Any, keep: Any) -> dict[str, Any]:
    """Accuracy and macro-F1 with 95 % bootstrap intervals, calibration error, time."""
    begin = time.perf_counter()
    scores = [provider.score(text) for text in texts]
    each_us = (time.perf_counter() - begin) / len(texts) * 1e6
    said = np.array([CLASSES.index(score.label) for score in scores])
    sure = np.array([score.confidence for score in scores])
    draw = np.random.default_rng(7)
    places = [draw.integers(0, len(y), len(y)) for _ in range(2000)]
    ece = sum(abs((said == y)[b].mean() - sure[b].mean()) * b.mean()
              for b in ((sure >= lo / 10) & (sure < lo / 10 + 0.1001) for lo in range(10)) if b.any())

    def interval(kind: Any) -> list[float]:
        return [round(float(v), 4) for v in np.percentile([kind(at) for at in places], (2.5, 97.5))]
    return {"provider": provider.name, "n": len(y), "accuracy": round(float((said == y).mean()), 4),
            "accuracy_95": interval(lambda at: (said[at] == y[at]).mean()),
            "macro_f1": round(macro_f1(y, said), 4), "macro_f1_95": interval(lambda at: macro_f1(y[at], said[at])),
            "calibration_error": round(float(ece), 4), "us_per_headline": round(each_us, 1),
            "accuracy_without_near_duplicates_of_training": round(float((said == y)[keep].mean()), 4)}


def train(folder: Path) -> None:
    """Choose by cross-validation, fit on the whole training file, write the model that ships."""
    texts, y = read(folder, "train")
    counts, side = matrix([clean(text) for text in texts])
    tried = {}
    for c, sides in ((8.0, 1.5), (16.0, 1.5), (16.0, 2.0), (40.0, 1.5), (40.0, 2.0)):
        values = crossed(counts, side, y, c, sides)
        said = values.argmax(axis=1)
        tried[c, sides] = macro_f1(y, said), values
        print(f"C {c} sides x{sides}: accuracy {(said == y).mean():.4f}, macro-F1 {tried[c, sides][0]:.4f}", flush=True)
    (c, sides), (_, values) = max(tried.items(), key=lambda item: item[1][0])
    idf = idf_of(counts)
    weights, bias = fitted(weighted(counts, side, idf), y, c, sides)
    used = np.flatnonzero(idf)
    save(FILE, index=used.astype(np.uint32), idf=idf[used].astype(np.float16), bias=bias,
         weight=(weights[:, used] * idf[used]).T.astype(np.float16), dense=weights[:, features.SIZE:].T,
         temperature=temperature_of(values, y), version=VERSION)
    print(f"chosen C {c}, sides x{sides}, temperature {temperature_of(values, y):.2f}: {len(used)} n-grams, "
          f"{FILE.stat().st_size} bytes")


def main() -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description="Train and measure the local sentiment model.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--measure", action="store_true", help="do not train")
    chosen = parser.parse_args()
    if not chosen.measure:
        train(chosen.data)
    texts, y = read(chosen.data, "valid")
    known = {fingerprint(text) for text in read(chosen.data, "train")[0]}
    keep = np.array([fingerprint(text) not in known for text in texts])
    from modules.sentiment.vader import Vader
    for provider in (HeadlineModel(), Vader()):
        print(json.dumps(measured(provider, texts, y, keep)))


if __name__ == "__main__":
    main()
