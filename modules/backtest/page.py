"""The report as one HTML page without any other file: charts, ratios with their definitions, what was assumed."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from modules.backtest import svg
from modules.backtest.arrays import MONEY
from modules.backtest.metrics import DAY_MS, drawdown
from modules.backtest.report import Report, by_month, by_reason, by_side, by_strategy, by_symbol, utc

MOST_TOKENS = 30
BINS = 41

STYLE = """
:root{--back:#fcfcfb;--text:#1d2327;--dim:#68727a;--line:#e3e6e8;--one:#1565a8;--two:#a0a7ad;--gain:#2e8b57;--loss:#c0453e}
@media(prefers-color-scheme:dark){:root{--back:#14181b;--text:#e2e6e9;--dim:#98a2aa;--line:#2c3338;--one:#63b0ee;
--two:#7d868d;--gain:#4fb583;--loss:#e0706a}}
body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:0 auto;
padding:16px}
h1{font-size:22px;margin:8px 0 0}h2{font-size:16px;margin:30px 0 6px}p{margin:4px 0}.dim{color:var(--dim)}
svg{width:100%;height:auto;display:block}svg text{font-size:11px;fill:var(--dim);font-family:inherit}
.grid{stroke:var(--line)}.zero{stroke:var(--dim)}.one{fill:none;stroke:var(--one);stroke-width:1.6}
.two{fill:none;stroke:var(--two);stroke-width:1.3}.fall{fill:var(--loss);opacity:.75}.held{fill:var(--one);opacity:.55}
rect.gain{fill:var(--gain)}rect.loss{fill:var(--loss)}.legend{font-size:12px;color:var(--dim)}
.key{display:inline-block;width:14px;height:3px;margin:0 5px 3px 12px;background:var(--one)}
.key.two{background:var(--two)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:14px 0}
.card{border:1px solid var(--line);border-radius:6px;padding:8px 12px}.card b{display:block;font-size:20px}
table{border-collapse:collapse;width:100%;font-size:13.5px}td,th{padding:4px 8px 4px 0;
text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}ul{margin:4px 0;padding-left:20px}
"""


def page(report: Report) -> str:
    """The whole page."""
    sections = [_head(report), _over_time(report)]
    if len(report.trades):
        sections += [_grouped(report), _distribution(report), _shuffled(report)]
    sections += [_models(report), _ratios(report), _assumed(report), _settings(report)]
    return ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>{''.join(sections)}</body></html>\n")


def _head(report: Report) -> str:
    shown = ("result", "buy and hold", "deepest drawdown", "trades", "won", "mean trade", "profit factor", "Sharpe")
    by_name = {metric.name: metric for metric in report.metrics}
    cards = "".join(f'<div class="card"><span class="dim">{escape(name)}</span><b>{_number(by_name[name].value)} '
                    f'{by_name[name].unit}</b></div>' for name in shown)
    return (f"<h1>{escape(report.title)}</h1><p class=\"dim\">{report.span()} UTC · {len(report.symbols)} tokens · "
            f"{report.candles:,} {report.walked} · a test on past prices: nothing was traded</p>"
            f"<div class=\"cards\">{cards}</div>")


def _over_time(report: Report) -> str:
    curve = report.curve
    short = curve.time[-1] - curve.time[0] < 2 * DAY_MS
    ticks = [utc(int(ms))[11:19] if short else utc(int(ms))[:10]
             for ms in np.linspace(curve.time[0], curve.time[-1], 6)]
    with np.errstate(invalid="ignore", divide="ignore"):
        exposure = np.where(curve.equity > 0, curve.held / curve.equity, 0.0) * 100
    return "".join((
        "<h2>Equity against buy-and-hold</h2>",
        svg.lines([("this strategy", "one", curve.equity), ("buy and hold, evenly over all tokens", "two", curve.hold)],
                  ticks, "USDT"),
        "<h2>Drawdown</h2>", svg.lines([("drawdown", "fall", drawdown(curve.equity) * 100)], ticks, "%", area=True),
        "<h2>Exposure: worth of positions over equity</h2>",
        svg.lines([("exposure", "held", exposure)], ticks, "%", area=True),
    ))


def _grouped(report: Report) -> str:
    months = [(name, pnl / MONEY) for name, _, pnl, _ in by_month(report)]
    tokens = sorted(by_symbol(report), key=lambda row: -row[2])
    cut = len(tokens) > MOST_TOKENS
    shown = [*tokens[:MOST_TOKENS // 2], *tokens[-MOST_TOKENS // 2:]] if cut else tokens
    return "".join((
        "<h2>Result per month (of the last sale)</h2>", svg.columns(months, "USDT"),
        f"<h2>Result per token{f': the best and worst {MOST_TOKENS // 2}' if cut else ''}</h2>", _lying(shown),
        "<h2>Result per reason of the last sale</h2>", _lying(by_reason(report)),
        "<h2>Result per strategy</h2>", _lying(by_strategy(report)),
        "<h2>Longs and shorts</h2>", _lying(by_side(report)),
    ))


def _lying(rows: Iterable[tuple[str, int, int, float]]) -> str:
    return svg.bars([(name, pnl / MONEY, f"{count} trades, {won:.0f} % won") for name, count, pnl, won in rows], "USDT")


def _distribution(report: Report) -> str:
    pct = report.trades.pnl_pct
    edge = max(float(np.percentile(np.abs(pct), 99)), 0.1)
    counts, edges = np.histogram(np.clip(pct, -edge, edge), BINS, (-edge, edge))
    middles = (edges[:-1] + edges[1:]) / 2
    shown = [(f"{middle:.1f}", float(count)) for middle, count in zip(middles, counts, strict=True)]
    return ("<h2>Distribution of results: trades by percent of their cost</h2>"
            + svg.columns(shown, "trades", BINS // 2)
            + '<p class="dim">The outermost columns hold everything beyond.</p>')


def _shuffled(report: Report) -> str:
    if report.shuffled is None:
        return ""
    falls, ends = report.shuffled.drawdowns, report.shuffled.results
    rows = "".join(f"<tr><td>{name}</td>{''.join(f'<td class=n>{value:.1f} %</td>' for value in values)}</tr>"
                   for name, values in (("deepest drawdown, trades in random order", falls),
                                        ("result, trades drawn with replacement", ends)))
    return (f"<h2>Monte Carlo of trade order, {report.shuffled.runs} runs</h2><div class=scroll><table><tr><th></th>"
            + "".join(f"<th>{p} % of runs below</th>" for p in (5, 25, 50, 75, 95)) + f"</tr>{rows}</table></div>"
            f"<p>{report.shuffled.lost:.0f} % of the drawn runs end with a loss.</p>")


def _ratios(report: Report) -> str:
    rows = "".join(f"<tr><td>{escape(m.name)}</td><td class=n>{_number(m.value)} {m.unit}</td>"
                   f"<td class=dim>{escape(m.meaning)}</td></tr>" for m in report.metrics)
    return f"<h2>Ratios and what they mean</h2><div class=scroll><table>{rows}</table></div>"


def _models(report: Report) -> str:
    """The folds of the models, and the same run without them."""
    if not report.folds:
        return ""
    rows = "".join(f"<tr><td>{utc(fold.begin_ms)[:10]}</td><td class=n>{fold.learnt:,}</td><td class=n>{fold.judged:,}"
                   f"</td><td class=n>{fold.approved:,}</td><td>{escape(fold.aside or 'judged')}</td></tr>"
                   for fold in report.folds)
    shown = ("result", "deepest drawdown", "trades", "won", "profit factor", "mean trade", "mean trade ±", "Sharpe")
    by_name = {metric.name: metric.value for metric in report.metrics}
    beside = "".join(f"<tr><td>{escape(each.name)}</td><td class=n>{_number(by_name[each.name])} {each.unit}</td>"
                     f"<td class=n>{_number(each.value)} {each.unit}</td></tr>"
                     for each in report.without if each.name in shown)
    return ("<h2>Models: each fitted on the past of its fold</h2><div class=scroll><table><tr><th>from</th>"
            f"<th>learnt from</th><th>judged</th><th>approved</th><th></th></tr>{rows}</table></div>"
            "<h2>With and without models</h2><div class=scroll><table><tr><th></th><th>with</th><th>without</th></tr>"
            f"{beside}</table></div>")


def _assumed(report: Report) -> str:
    noted = [f"{count:,} × {what}" for what, count in sorted(report.counted.items()) if count]
    refused = [f"{count:,} × {code}" for code, count in sorted(report.refused.items())]
    return ("<h2>What candles do not tell, and what was assumed instead</h2>" + _listed(report.waived)
            + "<h2>Entries that were not bought</h2>" + _listed(refused or ["none"])
            + "<h2>The data</h2>" + _listed(noted or ["nothing to remark"]))


def _settings(report: Report) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
                   for name, value in report.settings.items())
    return f"<h2>Settings</h2><div class=scroll><table>{rows}</table></div>"


def _listed(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    whole = isinstance(value, int) or (value == int(value) and abs(value) >= 10)
    return f"{value:,.0f}" if whole else f"{value:,.2f}"
