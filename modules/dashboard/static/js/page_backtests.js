// Backtests: run one with progress, compare two, search better settings, apply or roll back a version.

import { act, ask } from "./ask.js";
import { LineChart } from "./charts.js";
import { button, field, select } from "./form.js";
import { bars, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { drawRunning } from "./rows.js";
import { moment, Table } from "./table.js";

const LINES = { A: { colour: "--accent" }, B: { colour: "--warn" }, "Buy and hold": { colour: "--dim" } };

export function create({ look }) {
  const wanted = { a: "", b: "" };
  const runningBody = h("div", { class: "body" });
  const running = panel("Under way", "third", runningBody);
  const forms = runForms();
  const ask_ = panel("Run", "two", forms.node);
  const list = runsTable((side, id) => {
    wanted[side] = wanted[side] === id ? "" : id;
    look(wanted);
  });
  const runs = panel("Results", "", h("div", { class: "body" }, list.node));
  runs.tools.append(list.csvButton());
  setText(runs.note, "A and B choose what is shown side by side below");
  const chart = new LineChart(LINES, false);
  chart.node.dataset.none = "No result yet: run a backtest above.";
  const curve = panel("Equity against buy and hold, %", "two", chart.node);
  const monthBody = h("div", { class: "body" });
  const months = panel("Months and exits", "third", monthBody);
  const figures = figuresTable();
  const table = panel("Figures", "half", h("div", { class: "body" }, figures.node));
  table.tools.append(figures.csvButton());
  const differs = differTable();
  const assumed = h("div");
  const differ = panel("Settings that differ, and what is assumed", "half", h("div", { class: "body" }, differs.node, assumed));
  const versions = versionsTable();
  const kept = panel("Versions of settings", "", h("div", { class: "body" }, versions.node));
  kept.tools.append(act("Roll back", "/optimize rollback", { danger: true }));
  return {
    nodes: [ask_.node, running.node, runs.node, curve.node, months.node, table.node, differ.node, kept.node],
    arguments: () => wanted,
    close: () => chart.remove(),
    update(told) {
      if (told.candles) forms.update(told.candles);
      if (told.running) drawRunning(runningBody, told.running);
      if (told.runs) list.update(told.runs.map((row) => ({ ...row, a: wanted.a, b: wanted.b })));
      if (told.compare) {
        drawCompare(told.compare);
        list.update(list.rows.map((row) => ({ ...row, a: told.compare.sides[0]?.id, b: told.compare.sides[1]?.id })));
      }
      if (told.versions) {
        versions.update(told.versions.rows);
        setText(kept.note, told.versions.problem || `applied: ${told.versions.applied || "none"}${told.versions.earlier ? `, ${told.versions.earlier} steps back` : ""}`);
      }
    },
  };

  function drawCompare(told) {
    const [a, b] = told.sides;
    chart.update({ A: a?.equity ?? [], B: b?.equity ?? [], "Buy and hold": a?.hold ?? [] });
    setText(curve.note, [a && `A: ${a.what}, ${a.span}`, b && `B: ${b.what}, ${b.span}`].filter(Boolean).join(" · ") || "no result yet");
    figures.update(told.metrics);
    differs.update(told.differ);
    const month = (rows) => rows.map((row) => ({ name: row.name, value: Math.abs(Number(row.pnl_usdt)), tone: Number(row.pnl_usdt) >= 0 ? "up" : "down",
      text: `${fmt.signed(Number(row.pnl_usdt))} (n ${row.trades})` }));
    monthBody.replaceChildren(...(a ? [h("h3", {}, "A by month"), bars(month(a.months)), h("h3", {}, "A by exit"), bars(month(a.reasons)),
      ...(b ? [h("h3", {}, "B by month"), bars(month(b.months)), h("h3", {}, "B by exit"), bars(month(b.reasons))] : [])] :
      [h("p", { class: "empty" }, "No result yet.")]));
    assumed.replaceChildren(...(a?.waived.length ? [h("h3", {}, "Assumed"), h("ul", { class: "plain" }, a.waived.map((text) => h("li", { class: "dim" }, text)))] : []));
  }
}

function broad(node) {
  node.classList.add("broad");
  return node;
}

function runForms() {
  const strategy = select("bt-strategy", ["hype"]);
  const days = h("input", { type: "number", id: "bt-days", min: 1, max: 10000, step: 1, placeholder: "all" });
  const symbols = h("input", { type: "text", id: "bt-symbols", placeholder: "all collected", maxlength: 120 });
  const changes = h("input", { type: "text", id: "bt-set", placeholder: "trail_fall_pct=2 backtest.fee_pct=0.05", maxlength: 200 });
  const candles = select("bt-candles", ["collected"]);
  const trials = h("input", { type: "number", id: "bt-trials", min: 1, max: 20000, step: 1, placeholder: "default" });
  const have = h("p", { class: "dim" });
  const asked = h("p", { class: "dim", role: "status" });
  const run = (text) => {
    setText(asked, `Asked: ${text}. How far it is stands under "Under way"; the answer comes by itself.`);
    ask({ line: text }, { quiet: true }).finally(() => setText(asked, ""));
  };
  const line = (...words) => words.map((word) => word.trim()).filter(Boolean).join(" ");
  const test = () => run(line("/backtest", strategy.value, days.value, symbols.value.toUpperCase(),
    candles.value === "collected" ? "" : `candles=${candles.value}`, changes.value));
  const search = () => run(line("/optimize", strategy.value, trials.value && `trials=${trials.value}`));
  const node = h("div", { class: "body" },
    h("div", { class: "row-form" }, field("Strategy", strategy), field("Days", days), field("Symbols", symbols), field("Candles", candles), broad(field("Settings for this run", changes)),
      button("Run backtest", test, "yes"), act("Cancel", "/cancel backtest", { danger: true })),
    h("div", { class: "row-form" }, field("Trials of a search", trials), button("Search better settings", search), act("Stop search", "/optimize stop", { danger: true })),
  asked, have, h("p", { class: "dim" }, "Tests on past prices: nothing is bought or sold. Results come below by themselves."));
  return {
    node,
    update(told) {
      if (strategy.children.length !== told.strategies.length) strategy.replaceChildren(...told.strategies.map((name) => h("option", { value: name }, name)));
      if (candles.children.length !== told.sets.length + 1) candles.replaceChildren(...["collected", ...told.sets].map((name) => h("option", { value: name }, name)));
      setText(have, told.tokens ? `Collected candles: ${told.tokens} tokens, ${told.mb} MB.` :
        "No candles are collected yet: the page Data downloads some.");
    },
  };
}

function runsTable(choose) {
  const pick = (side) => ({ key: side, label: side.toUpperCase(), mark: (row) => [row.kind, row.id, row[side] === row.id], node: (row) => (row.kind === "backtest" && row.result !== null ?
    h("button", { type: "button", class: row[side] === row.id ? "act on" : "act", "aria-pressed": String(row[side] === row.id), onclick: () => choose(side, row.id) }, side.toUpperCase()) : "") });
  const pct = (key, label) => ({ key, label, num: true, text: (row) => fmt.pct(row[key]), class: (row) => sign(row[key]) });
  return new Table([
    { key: "what", label: "What", text: (row) => `${row.kind === "optimize" ? "search " : ""}${row.what}` }, pick("a"), pick("b"),
    { key: "state", label: "State", node: (row) => tag(row.state === "done" ? "ready" : row.state === "failed" ? "stuck" : "starting", row.state) },
    pct("result", "Result"), pct("buy and hold", "Buy & hold"),
    { key: "trades", label: "Trades", num: true, text: (row) => fmt.whole(row.trades) },
    { key: "won", label: "Won", num: true, text: (row) => fmt.share(row.won) },
    { key: "mean trade", label: "Mean trade [95 %]", num: true, class: (row) => sign(row["mean trade"]),
      text: (row) => `${fmt.pct(row["mean trade"])}${typeof row["mean trade ±"] === "number" ? ` ± ${fmt.figure(row["mean trade ±"])}` : ""}` },
    { key: "deepest drawdown", label: "Drawdown", num: true, text: (row) => (typeof row["deepest drawdown"] === "number" ? `${fmt.figure(row["deepest drawdown"], 1)}%` : "–") },
    { key: "span", label: "Days", text: (row) => fmt.text(row.span) }, moment("ended_ms", "Ended"),
    { key: "spent_s", label: "Took", num: true, text: (row) => fmt.age(row.spent_s) }, { key: "said", label: "Said", wide: true },
  ], (row) => row.id, { empty: "No backtest has run from here yet. The form above starts one.", name: "backtests" });
}

function figuresTable() {
  const value = (place) => (row) => {
    const one = row.values[place];
    if (Number.isInteger(one) && !row.unit) return fmt.whole(one);
    return typeof one === "number" ? `${fmt.figure(one, Math.abs(one) >= 1000 ? 0 : 2)}${row.unit === "%" ? "%" : row.unit ? ` ${row.unit}` : ""}` : "–";
  };
  return new Table([
    { key: "name", label: "Figure", node: (row) => h("span", { title: row.meaning }, row.name) },
    { key: "values", label: "A", num: true, text: value(0), sort: (row) => row.values[0] }, { key: "values", label: "B", num: true, text: value(1), sort: (row) => row.values[1] ?? null },
  ], (row) => row.name, { empty: "No result yet.", name: "figures" });
}

function differTable() {
  return new Table([
    { key: "name", label: "Setting" }, { key: "values", label: "A", text: (row) => fmt.text(row.values[0]) }, { key: "values", label: "B", text: (row) => fmt.text(row.values[1]) },
  ], (row) => row.name, { empty: "Choose a B to see in which settings two results differ.", name: "settings" });
}

function versionsTable() {
  return new Table([
    { key: "version", label: "Version", num: true }, { key: "strategy", label: "Strategy" },
    { key: "applied", label: "", mark: (row) => [row.version, row.applied], node: (row) => (row.applied ? tag("ready", "applied") : act("Apply", `/optimize apply ${row.version}`)) },
    { key: "settings", label: "Settings", wide: true, text: (row) => row.settings.map(([name, value]) => `${name} ${fmt.text(row.before[name])} → ${value}`).join(", ") },
    { key: "difference", label: "Out of sample [95 %]", text: (row) => (row.difference ? `${row.objective} ${fmt.signedFigure(row.difference.value)} [${fmt.figure(row.difference.low)}, ${fmt.figure(row.difference.high)}]` : "–") },
    { key: "until", label: "Candles until" }, { key: "found", label: "Found", text: (row) => row.found.slice(0, 10) }, { key: "warning", label: "Mind", wide: true, class: () => "warn" },
  ], (row) => row.version, { empty: "No version was kept yet: a search keeps what held up on days it had not seen.", name: "versions" });
}
