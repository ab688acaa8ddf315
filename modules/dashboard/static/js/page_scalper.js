// Scalper (system B): order flow, sentiment with where it comes from, keys' health, trades.

import { act } from "./ask.js";
import { EquityChart } from "./charts.js";
import { bars, figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { moment, Table } from "./table.js";
import { whyPanel } from "./why.js";

const score = (key, label, digits = 2) => ({ key, label, num: true, text: (row) => fmt.signedFigure(row[key], digits), class: (row) => sign(row[key]) });
const price = (key, label) => ({ key, label, num: true, text: (row) => fmt.price(row[key]) });
const parts = (pairs) => pairs.filter(([, value]) => Math.abs(value) >= 0.005).map(([name, value]) => `${name} ${fmt.signedFigure(value)}`).join(", ");

export function create() {
  const headBody = h("div", { class: "body" });
  const head = panel("Scalper", "two", headBody);
  head.tools.append(act("Start", "/startscalper"), act("Stop", "/stopscalper", { danger: true }), act("Close all", "/stopscalper close", { danger: true }));
  const why = whyPanel();
  const tables = { open: openTable(), contracts: flowTable(), signals: signalsTable(), trades: tradesTable(), texts: textsTable(),
    moods: moodsTable(), keys: keysTable() };
  const held = panel("Positions", "", h("div", { class: "body" }, tables.open.node));
  const flow = panel("Order flow", "", h("div", { class: "body" }, tables.contracts.node));
  const made = panel("Trades", "", h("div", { class: "body" }, tables.trades.node));
  made.tools.append(tables.trades.csvButton());
  const chart = new EquityChart();
  const curve = panel("Result of these trades, USDT", "half", chart.node);
  const told = panel("Signals and what became of them", "", h("div", { class: "body" }, tables.signals.node));
  told.tools.append(tables.signals.csvButton());
  const refusedBody = h("div", { class: "body" });
  const refused = panel("Refused, by reason", "half", refusedBody);
  const moodNote = h("div");
  const mood = panel("Sentiment", "half", h("div", { class: "body" }, moodNote, tables.moods.node));
  mood.tools.append(act("Read", "/sentimentfeed on"), act("Stop", "/sentimentfeed off", { danger: true }));
  const said = panel("Newest texts", "half", h("div", { class: "body" }, tables.texts.node));
  const keyNote = h("div");
  const keys = panel("API keys", "two", h("div", { class: "body" }, keyNote, tables.keys.node));
  const switchBody = h("div", { class: "body" });
  const switches = panel("Last changes of keys", "third", switchBody);
  return {
    nodes: [head.node, why.node, held.node, flow.node, curve.node, refused.node, made.node, told.node, mood.node, said.node,
      keys.node, switches.node],
    close: () => chart.remove(),
    update(sections) {
      if (sections.head) drawHead(headBody, head.note, sections.head);
      if (sections.why) why.update(sections.why);
      for (const name of ["open", "contracts", "signals", "trades", "texts"]) if (sections[name]) tables[name].update(sections[name]);
      if (sections.curve) {
        chart.update(sections.curve);
        setText(curve.note, sections.curve.length ? fmt.signed(sections.curve.at(-1)[1]) : "none yet");
      }
      if (sections.refused) {
        refusedBody.replaceChildren(sections.refused.length ? bars(sections.refused.map(([name, value]) => ({ name: name.replaceAll("_", " ").toLowerCase(), value }))) :
          h("p", { class: "empty" }, "Nothing was refused yet."));
      }
      if (sections.sentiment) drawMood(moodNote, tables.moods, sections.sentiment);
      if (sections.keys) {
        tables.keys.update(sections.keys.rows);
        setText(keys.note, sections.keys.rows.length ? `${sections.keys.rows.filter((row) => row.state === "ready").length} of ${sections.keys.rows.length} ready` : "");
        keyNote.replaceChildren(sections.keys.problem ? h("p", { class: "down" }, sections.keys.problem) : "");
      }
      if (sections.switches) {
        switchBody.replaceChildren(sections.switches.length ? h("ul", { class: "plain" }, sections.switches.map((line) => h("li", {}, line))) :
          h("p", { class: "empty" }, "No key has rested or changed."));
      }
    },
  };
}

function drawHead(body, note, head) {
  setText(note, `${head.mode} · ${head.symbols.join(", ")}${head.ms ? ` · ${fmt.when(head.ms)}` : ""}`);
  body.replaceChildren(...(head.modes.length ? head.modes.map((one) => h("div", {}, h("p", {}, tag(one.mode)),
    figures([["equity", fmt.money(one.equity)], ["today", fmt.signed(one.day_pnl), sign(one.day_pnl)],
      ["trades today", `${one.today} of ${one.most}`], ["trades", `${one.trades} (${one.wins} won)`],
      ["result after costs", fmt.signed(one.pnl), sign(one.pnl)], ["fees", fmt.money(one.fees)]]),
    one.problem ? h("p", { class: "down" }, `Entries are stopped: ${one.problem}`) : "")) : [h("p", { class: "empty" }, "It has not run yet.")]));
}

function openTable() {
  return new Table([
    { key: "symbol", label: "Contract" }, { key: "mode", label: "Mode", node: (row) => tag(row.mode) },
    { key: "word", label: "Side", node: (row) => tag(row.word) }, { key: "quantity", label: "Size", num: true, text: (row) => fmt.text(row.quantity) },
    { key: "entry", label: "Entry", num: true, text: (row) => (row.opened_ms ? fmt.price(row.entry) : "waits") }, price("now", "Now"),
    { key: "move", label: "Move", num: true, text: (row) => fmt.pct(row.move), class: (row) => sign(row.move) },
    price("stop", "Stop"), price("take", "Target"), score("score", "Score"),
    { key: "left_s", label: "Time left", num: true, text: (row) => fmt.age(row.left_s) }, { key: "closing", label: "Closing" },
  ], (row) => `${row.mode} ${row.id}`, { empty: "No position.", name: "scalper-open" });
}

function flowTable() {
  const of = (key, label, form) => ({ key, label, num: true, sort: (row) => row.flow[key], text: (row) => form(row.flow[key]),
    class: (row) => (["spread_bps", "speed", "volatility_bps"].includes(key) ? "" : sign(row.flow[key])) });
  const two = (value) => fmt.signedFigure(value);
  return new Table([
    { key: "symbol", label: "Contract" }, price("bid", "Bid"), score("score", "Score"),
    { key: "why", label: "Now", text: (row) => (row.code === "OK" ? "a signal" : row.why) },
    of("imbalance_1", "Book 1", two), of("imbalance_10", "Book 10", two), of("ofi", "Order flow", two), of("delta", "Volume delta", two),
    of("large_resting", "Large resting", two), of("large_traded", "Large traded", two), of("speed", "Trades/s", (v) => fmt.figure(v, 1)),
    of("spread_bps", "Spread bp", (v) => fmt.figure(v)), of("volatility_bps", "Moves bp", (v) => fmt.figure(v, 1)),
    { key: "atr_bps", label: "ATR bp", num: true, text: (row) => fmt.figure(row.atr_bps, 1) },
    { key: "parts", label: "Parts of the score", wide: true, text: (row) => parts(Object.entries(row.parts).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 4)) },
  ], (row) => row.symbol, { empty: "Nothing is seen yet.", name: "flow" });
}

function signalsTable() {
  return new Table([
    moment("last_ms", "Newest"), moment("first_ms", "First"), { key: "symbol", label: "Contract" },
    { key: "side", label: "Side", node: (row) => tag(row.side > 0 ? "BUY" : "SELL") }, score("score", "Score"),
    { key: "times", label: "Looks", num: true }, { key: "why", label: "Came of it", text: (row) => (row.code === "OK" ? "entered" : row.why) },
    { key: "parts", label: "Weight of the parts", wide: true, text: (row) => parts(Object.entries(row.parts).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))) },
  ], (row) => `${row.first_ms} ${row.symbol} ${row.side}`, { empty: "No signal yet.", name: "scalper-signals" });
}

function tradesTable() {
  return new Table([
    moment("closed_ms", "Closed"), { key: "symbol", label: "Contract" },
    { key: "mode", label: "Mode", node: (row) => tag(row.mode) }, { key: "word", label: "Side", node: (row) => tag(row.word) },
    { key: "pnl", label: "PnL", num: true, text: (row) => fmt.signed(row.pnl), class: (row) => sign(row.pnl) },
    { key: "pnl_pct", label: "%", num: true, text: (row) => fmt.pct(row.pnl_pct), class: (row) => sign(row.pnl_pct) },
    price("entry", "Entry"), price("exit", "Exit"), { key: "quantity", label: "Size", num: true, text: (row) => fmt.text(row.quantity) },
    { key: "fees", label: "Fees", num: true, text: (row) => fmt.figure(row.fees, 2) },
    { key: "opened_ms", label: "Held", num: true, text: (row) => fmt.age((row.closed_ms - row.opened_ms) / 1000), sort: (row) => row.closed_ms - row.opened_ms },
    { key: "why", label: "End" }, score("score", "Score"), { key: "parts", label: "Parts", wide: true, text: (row) => parts(row.parts) },
  ], (row) => `${row.mode} ${row.id}`, { empty: "No trade yet.", name: "scalper-trades" });
}

function drawMood(note, table, told) {
  table.update(told.rows);
  note.replaceChildren(told.local ? h("p", { class: "dim" }, told.local) : "",
    ...Object.entries({ ...told.providers, ...told.sources }).map(([name, words]) => h("p", { class: "dim" }, `${name}: ${words}`)));
}

function moodsTable() {
  return new Table([
    { key: "symbol", label: "Of", text: (row) => (row.symbol === "*" || row.symbol === "" ? "market" : row.symbol) }, score("score", "Score"),
    { key: "confidence", label: "Sure", num: true, text: (row) => fmt.share(row.confidence * 100) },
    { key: "texts", label: "Texts", num: true }, { key: "age_s", label: "Newest", num: true, text: (row) => `${fmt.age(row.age_s)} ago` },
    { key: "providers", label: "Scored by", wide: true, text: (row) => `${row.providers.join(", ")}${row.fallback ? " (fallback)" : ""}` },
    { key: "sources", label: "From", wide: true, text: (row) => row.sources.join(", ") },
  ], (row) => row.symbol, { empty: "Nothing was said yet.", name: "sentiment" });
}

function textsTable() {
  return new Table([
    score("score", "Score"), { key: "symbols", label: "Of" }, { key: "text", label: "Text", wide: true },
    { key: "source", label: "Source" }, { key: "provider", label: "Scored by", text: (row) => `${row.provider}${row.fallback ? " (fallback)" : ""}` },
    { key: "age_s", label: "Known", num: true, text: (row) => `${fmt.age(row.age_s)} ago` },
  ], (row) => row.id, { empty: "No text yet.", name: "texts" });
}

function keysTable() {
  return new Table([
    { key: "provider", label: "Provider" }, { key: "owner", label: "Owner" }, { key: "mask", label: "Key" },
    { key: "state", label: "State", mark: (row) => [row.state, row.serves], node: (row) => [tag(row.state === "ready" ? "ready" : row.state === "refused" ? "stuck" : "starting", row.state),
      row.serves ? " serves" : ""] },
    { key: "rest_s", label: "Rests", num: true, text: (row) => (row.rest_s ? fmt.age(row.rest_s) : "–") }, { key: "why", label: "Why" },
    { key: "good", label: "Good calls", num: true, text: (row) => `${row.good} of ${row.calls}` }, { key: "day_calls", label: "Today", num: true },
    { key: "day_usd", label: "USD today", num: true, text: (row) => fmt.figure(row.day_usd, 4) },
    { key: "left", label: "Left", num: true, text: (row) => (row.left >= 0 ? fmt.whole(row.left) : "–") },
  ], (row) => `${row.provider} ${row.owner} ${row.mask}`, { empty: "There is no API key: the local model scores, feeds and files need none.", name: "apikeys" });
}
