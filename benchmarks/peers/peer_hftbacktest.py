"""Runs inside hftbacktest's own environment: its engine on a tape of ours, or its `convert` on raw frames.

    python peer_hftbacktest.py run EVENTS.npz FILLS.npy QUEUE LATENCY_NS  |  python peer_hftbacktest.py convert FILE

Prints one JSON object. The strategy is that of `ticks.py`: quote the touch post-only, in turns buying and selling.
"""

import json
import sys
import time

import numpy as np
from peak import mib  # type: ignore[import-not-found]  # beside this file, in an environment of its own


def converted(path: str) -> dict:
    from hftbacktest.data.utils import binancefutures
    started = time.perf_counter()
    rows = binancefutures.convert(path, buffer_size=5_000_000)
    return {"rows": len(rows), "seconds": time.perf_counter() - started}


def ran(events: str, fills: str, queue: str, latency: int) -> dict:
    from hftbacktest import (
        GTX,
        LIMIT,
        NEW,
        NONE,
        BacktestAsset,
        HashMapMarketDepthBacktest,
        ROIVectorMarketDepthBacktest,
    )
    from numba import njit

    @njit
    def quote(h, every, qty, patience, out):
        order, sent, n, number, last = 0, 0, 0, 0, 0.0
        while h.elapse(every) == 0:
            depth, position = h.depth(0), h.position(0)
            if position != last:
                out[n, 0], out[n, 1] = h.current_timestamp, position
                n += 1
                last = position
            if np.isnan(depth.best_bid) or np.isnan(depth.best_ask):
                continue
            if order > 0:
                known = h.orders(0).get(order)
                if known is not None and (known.status == NEW or known.status == NONE):
                    if h.current_timestamp - sent > patience and known.cancellable:
                        h.cancel(0, order, False)
                    continue
                h.clear_inactive_orders(0)
            number += 1
            order = number
            if position <= 1e-9:
                h.submit_buy_order(0, order, depth.best_bid, qty, GTX, LIMIT, False)
            else:
                h.submit_sell_order(0, order, depth.best_ask, qty, GTX, LIMIT, False)
            sent = h.current_timestamp
        return n

    data = np.load(events)["data"]
    told = {}
    for name, make in (("hash map", HashMapMarketDepthBacktest), ("vector", ROIVectorMarketDepthBacktest)):
        seconds = []
        for _ in range(4):
            asset = (BacktestAsset().data(data).linear_asset(1.0).constant_order_latency(latency, latency)
                     .no_partial_fill_exchange().trading_value_fee_model(0.0002, 0.0005).tick_size(0.1).lot_size(0.001))
            asset = asset.risk_adverse_queue_model() if queue == "back" else asset.power_prob_queue_model(3.0)
            if name == "vector":
                asset = asset.roi_lb(float(data["px"].min())).roi_ub(float(data["px"].max()))
            held = make([asset])
            out = np.zeros((1_000_000, 2))
            started = time.perf_counter()
            count = quote(held, 100_000_000, 0.01, 5_000_000_000, out)
            seconds.append(time.perf_counter() - started)
            held.close()
        told[name] = {"seconds": seconds[1:], "changes_of_position": int(count)}
    np.save(fills, out[:count])
    return {**told, "mib": mib()}


if __name__ == "__main__":
    print(json.dumps(converted(sys.argv[2]) if sys.argv[1] == "convert" else ran(
        sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))))
