// Hype: the funnel of the scan, close looks, positions, trades, judgements, why nothing is bought.

import { act } from "./ask.js";
import { CandleChart } from "./candles.js";
import { indicatorMenu } from "./indicators.js";
import { cardPanel, modelsTable } from "./models.js";
import { bars, figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { positionsTable } from "./rows.js";
import { moment, Table } from "./table.js";
import { whyPanel } from "./why.js";

function checksTable() {
  return new Table([
    { key: "symbol", label: "Symbol" }, moment("ms", "When"),
    { key: "strategy", label: "Strategy" }, { key: "verdict", label: "Verdict" },
    { key: "confidence", label: "Confidence", num: true, text: (row) => fmt.figure(row.confidence) },
    { key: "probability", label: "Probability", num: true, text: (row) => fmt.figure(row.probability, 3) },
    { key: "codes", label: "Reasons", wide: true }, { key: "text", label: "Words", wide: true },
  ], (row) => row.symbol, { empty: "Nothing was looked at closely yet.", name: "candidates" });
}

function tradesTable() {
  return new Table([
    moment("ms", "When"),
    { key: "symbol", label: "Symbol" }, { key: "side", label: "Side", node: (row) => tag(row.side) },
    { key: "price", label: "Price", num: true, text: (row) => fmt.price(row.price) },
    { key: "quote", label: "USDT", num: true, text: (row) => fmt.money(row.quote) },
    { key: "pnl", label: "PnL", num: true, text: (row) => fmt.signed(row.pnl), class: (row) => sign(row.pnl) },
    { key: "pnl_pct", label: "%", num: true, text: (row) => fmt.pct(row.pnl_pct), class: (row) => sign(row.pnl_pct) },
    { key: "fee", label: "Fee", num: true, text: (row) => fmt.figure(row.fee, 4) },
    { key: "strategy", label: "Strategy" }, { key: "reason", label: "Reason" },
  ], (row) => `${row.ms} ${row.symbol} ${row.side} ${row.price} ${row.quote}`, { empty: "No trades yet.", name: "trades" });
}

function marketTable() {
  const pct = (key, label) => ({ key, label, num: true, text: (row) => fmt.pct(row[key]), class: (row) => sign(row[key]) });
  return new Table([
    { key: "symbol", label: "Pair" }, { key: "code", label: "Screening", node: (row) => (row.code === "passes" ? tag("ready", row.code) : row.code) },
    { key: "price", label: "Price", num: true, text: (row) => fmt.price(row.price) },
    pct("growth_5m", "5 min"), pct("growth_1h", "1 hour"), pct("growth_24h", "24 hours"),
    { key: "volume", label: "Volume 24h USDT", num: true, text: (row) => fmt.whole(row.volume) },
    { key: "spread_pct", label: "Spread", num: true, text: (row) => (row.spread_pct === null ? "–" : `${fmt.figure(row.spread_pct)}%`) },
  ], (row) => row.symbol, { empty: "The scanner has not looked at the market yet.", name: "pairs" });
}

export function create({ look }) {
  const wanted = { symbol: "", interval: "5m", model: "" };
  const menu = indicatorMenu(() => look(asked()));
  const asked = () => ({ ...wanted, indicators: menu.text() });
  const choose = (name, value) => {
    wanted[name] = value;
    look(asked());
  };
  const chart = new CandleChart();
  const candles = panel("Candles", "two", chart.node);
  const choices = h("span", { class: "controls" });
  candles.tools.append(choices);
  candles.node.insertBefore(menu.node, chart.node);
  const all = modelsTable((name) => choose("model", name));
  const models = panel("Models", "half", h("div", { class: "body" }, all.node));
  models.tools.append(act("Train", "/starttrain"), all.csvButton());
  const card = cardPanel();
  const funnelBody = h("div", { class: "body" });
  const funnel = panel("Last scan", "half", funnelBody);
  const codesBody = h("div", { class: "body" });
  const codes = panel("Why candidates were rejected", "half", codesBody);
  const why = whyPanel();
  const said = activityTable();
  const activity = panel("Judgements", "", h("div", { class: "body" }, said.node));
  activity.tools.append(said.csvButton());
  const held = positionsTable();
  const positions = panel("Positions", "", h("div", { class: "body" }, held.node));
  positions.tools.append(held.csvButton(), act("Sell all", "/sellall", { danger: true }));
  const checks = checksTable();
  const looks = panel("Close looks", "", h("div", { class: "body" }, checks.node));
  looks.tools.append(checks.csvButton());
  const pairs = marketTable();
  const screened = panel("Pairs", "", h("div", { class: "body" }, pairs.node));
  screened.tools.append(pairs.csvButton());
  const made = tradesTable();
  const trades = panel("Trades", "", h("div", { class: "body" }, made.node));
  trades.tools.append(made.csvButton());
  return {
    nodes: [candles.node, why.node, positions.node, funnel.node, codes.node, activity.node, looks.node, screened.node, trades.node, models.node, card.node],
    arguments: asked,
    close: () => {
      chart.remove();
      card.remove();
    },
    update(told) {
      if (told.chart) {
        chart.update(told.chart, `${told.chart.symbol} ${told.chart.interval}`);
        setText(candles.note, [told.chart.symbol, told.chart.held ? "held" : "", told.chart.problem].filter(Boolean).join(" · "));
        drawChoices(choices, told.chart, choose);
      }
      if (told.models) {
        all.update(told.models);
        setText(models.note, told.models.length ? `${told.models.length}, ${told.models.filter((row) => row.state === "good").length} vote` : "");
      }
      if (told.card) card.update(told.card);
      if (told.activity) said.update(told.activity);
      if (told.scan) drawScan(funnelBody, funnel.note, told.scan);
      if (told.market) {
        pairs.update(told.market.rows);
        setText(screened.note, told.market.listed ? `${fmt.whole(told.market.listed)} on the exchange, ${fmt.whole(told.market.passed)} pass the screening${told.market.rows.length < told.market.listed ? `; the first ${told.market.rows.length} are here` : ""}` : "");
      }
      if (told.codes) {
        codesBody.replaceChildren(told.codes.length ? bars(told.codes.map(([name, value]) => ({ name, value }))) :
          h("p", { class: "empty" }, "None of late."));
      }
      if (told.why) why.update(told.why);
      if (told.positions) held.update(told.positions);
      if (told.checks) checks.update(told.checks);
      if (told.trades) made.update(told.trades);
    },
  };
}

function activityTable() {
  return new Table([
    moment("ms", "When"), { key: "symbol", label: "Symbol", text: (row) => fmt.text(row.symbol) },
    { key: "verdict", label: "Verdict", node: (row) => tag({ approved: "ready", rejected: "stuck" }[row.verdict] ?? "", row.verdict) },
    { key: "codes", label: "Reasons", wide: true, text: (row) => row.codes || row.text },
  ], (row) => `${row.ms} ${row.symbol} ${row.verdict} ${row.text}`, { empty: "Nothing was judged yet.", name: "judgements" });
}

function drawChoices(place, told, choose) {
  const mark = JSON.stringify([told.symbols, told.symbol, told.interval]);
  if (place.dataset.mark === mark) return;
  place.dataset.mark = mark;
  const symbols = h("select", { "aria-label": "Token", onchange: (event) => choose("symbol", event.target.value) },
    told.symbols.map((name) => h("option", { value: name, selected: name === told.symbol }, name)));
  const button = (value) => h("button", { type: "button", class: value === told.interval ? "act on" : "act",
    "aria-pressed": String(value === told.interval), onclick: () => choose("interval", value) }, value);
  place.replaceChildren(...(told.symbols.length ? [symbols, ...told.intervals.map(button)] : []));
}

function drawScan(body, note, scan) {
  setText(note, scan.market_ms ? `${fmt.when(scan.market_ms)} · ${scan.scans} scans · ${fmt.ms(scan.scan_ms)}` : "");
  body.replaceChildren(
    scan.error ? h("p", { class: "down" }, scan.error) : "",
    scan.funnel.length ? bars(scan.funnel.map(([name, value]) => ({ name: name.replaceAll("_", " "), value }))) :
      h("p", { class: "empty" }, "The scanner has not scanned yet."),
    figures([["mood", fmt.text(scan.mood)], ["BTC 1h", fmt.pct(scan.btc_1h_pct), sign(scan.btc_1h_pct)],
      ["BTC 24h", fmt.pct(scan.btc_24h_pct), sign(scan.btc_24h_pct)]]),
    h("p", { class: "dim" }, `Feedback model: ${scan.feedback}`));
}
