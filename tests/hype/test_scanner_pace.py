"""The limits hold: a scan of 2,500 tickers, one judgement by two real models (benchmarks/scanner.py)."""

import asyncio

from benchmarks import scanner as benchmark


def test_a_scan_of_2500_tickers_stays_far_under_its_limit():
    median, _ = asyncio.run(benchmark.whole_scan(2500, 15))
    assert median < benchmark.LIMITS_MS["scan_ms"]


def test_one_candidate_is_judged_by_both_real_models_within_its_limit():
    median, _ = benchmark.judging(15)
    assert median < benchmark.LIMITS_MS["judge_ms"]
