// BTC (system C): what is decided and why, on candles; inputs and their age; what a person enters; trades to their cost.

import { act } from "./ask.js";
import { EquityChart } from "./charts.js";
import { CandleChart } from "./candles.js";
import { indicatorMenu } from "./indicators.js";
import { chainList, decisionsTable, heldTable } from "./btc_trades.js";
import { figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { manualForms } from "./btc_forms.js";
import { Table } from "./table.js";
import { whyPanel } from "./why.js";

const MARKS = { pass: "✓", fail: "✗", neutral: "–" };

export function create({ look }) {
  const wanted = { interval: "15m", symbol: "" };
  const menu = indicatorMenu(() => look(asked()));
  const asked = () => ({ ...wanted, indicators: menu.text() });
  const headBody = h("div", { class: "body" });
  const head = panel("Decision", "", headBody);
  head.tools.append(act("Start", "/startbtc"), act("Stop", "/stopbtc", { danger: true }), act("Close", "/closebtc", { danger: true }));
  const why = whyPanel();
  const chart = new CandleChart();
  const candles = panel("Candles", "two", chart.node);
  const choices = h("span", { class: "controls" });
  candles.tools.append(choices);
  candles.node.insertBefore(menu.node, chart.node);
  const ageTable = inputsTable();
  const ages = panel("Inputs and their age", "third", h("div", { class: "body" }, ageTable.node));
  const flowBody = h("div");
  const frameTable = framesTable();
  const flow = panel("Flow and structure", "two", h("div", { class: "body" }, flowBody, frameTable.node));
  const ruleBody = h("div", { class: "body rules" });
  const rules = panel("Rules", "", ruleBody);
  const held = heldTable();
  const positions = panel("Position", "", h("div", { class: "body" }, held.node));
  const forms = manualForms(() => wanted.symbol);
  const chainBody = h("div", { class: "body" });
  const chains = panel("Trades: decision → orders → fills → cost", "two", chainBody);
  const equity = new EquityChart();
  const curve = panel("Account", "third", equity.node);
  const made = decisionsTable();
  const decisions = panel("Decisions", "", h("div", { class: "body" }, made.node));
  decisions.tools.append(made.csvButton());
  const problem = panel("Database", "", h("p", { class: "empty" }));
  problem.node.hidden = true;
  const choose = (name, value) => {
    wanted[name] = value;
    look(asked());
  };
  const page = {
    nodes: [problem.node, head.node, candles.node, why.node, positions.node, flow.node, ages.node, rules.node,
      ...forms.nodes, chains.node, curve.node, decisions.node],
    arguments: asked,
    close: () => {
      chart.remove();
      equity.remove();
    },
    update(told) {
      if ("problem" in told) {
        problem.node.hidden = !told.problem;
        setText(problem.node.querySelector("p"), told.problem);
      }
      if (told.head) {
        drawHead(headBody, head.note, told.head);
        drawChoices(choices, told.head, wanted, choose);
        setText(candles.note, `${told.head.symbol} · pools of liquidations red for longs, green for shorts`);
      }
      if (told.why) why.update(told.why);
      if (told.chart) chart.update(told.chart, `${wanted.symbol} ${told.chart.interval}`);
      if (told.inputs) ageTable.update(told.inputs);
      if (told.flow) drawFlow(flowBody, told.flow);
      if (told.frames) frameTable.update(told.frames);
      if (told.rules) drawRules(ruleBody, told.rules);
      if (told.held) {
        held.update(told.held);
        positions.node.hidden = !told.held.length;
      }
      if (told.manual) forms.update(told.manual);
      if (told.chains) chainList(chainBody, told.chains);
      if (told.totals) {
        setText(chains.note, told.totals.map((row) => `${row.mode}: n ${row.n}, ${row.won} won, net ${fmt.signed(row.net)} USDT (${fmt.r(row.r)}), fees ${fmt.money(row.fees)}`).join(" · "));
      }
      if (told.curve) {
        equity.update(told.curve);
        setText(curve.note, told.curve.length ? `${fmt.money(told.curve.at(-1)[1])} USDT` : "no figures yet");
      }
      if (told.decisions) made.update(told.decisions);
    },
  };
  return page;
}

function drawChoices(place, head, wanted, choose) {
  const mark = JSON.stringify([head.symbols, wanted]);
  if (place.dataset.mark === mark) return;
  place.dataset.mark = mark;
  const pick = (name, now) => (value) => h("button", { type: "button", class: value === now ? "act on" : "act",
    "aria-pressed": String(value === now), onclick: () => choose(name, value) }, value);
  place.replaceChildren(...(head.symbols.length > 1 ? head.symbols.map(pick("symbol", head.symbol)) : []),
    ...head.intervals.map(pick("interval", wanted.interval)));
}

function drawHead(body, note, head) {
  setText(note, head.ms ? `${head.mode} · ${fmt.when(head.ms)}, ${fmt.age(head.age_s)} ago (market time) · ${head.session} session` : "");
  if (!head.action) {
    body.replaceChildren(h("p", { class: "empty" }, "Nothing is decided yet."));
    return;
  }
  const tone = { long: "LONG", short: "SHORT" }[head.action] ?? "";
  body.replaceChildren(
    h("p", { class: "big" }, h("span", { class: `tag ${tone}` }, head.action.toUpperCase()), ` ${head.symbol} `, fmt.price(head.price),
      head.action === "flat" ? h("span", { class: "dim" }, ` ${head.reason.replace("flat_", "").replaceAll("_", " ")}`) : ""),
    figures([["confidence", fmt.figure(head.confidence)], ["risk level", `${head.risk_level} of 5`],
      ["entry zone", head.zone ? `${fmt.price(Number(head.zone[0]))} – ${fmt.price(Number(head.zone[1]))}` : "–"],
      ["stop", level(head.sl), "down"], ["TP1", level(head.tp1), "up"], ["TP2", level(head.tp2), "up"],
      ["size", head.action === "flat" ? "–" : `${fmt.money(Number(head.size_usdt))} USDT`],
      ["at risk", head.action === "flat" ? "–" : `${fmt.money(Number(head.risk_usdt))} USDT`]]),
    head.capped_by ? h("p", { class: "dim" }, `Size held down by ${head.capped_by}.`) : "");
}

const level = (text) => (text ? fmt.price(Number(text)) : "–");

function inputsTable() {
  return new Table([
    { key: "name", label: "Input", text: (row) => (row.required ? row.name : `${row.name} (optional)`) },
    { key: "state", label: "State", node: (row) => h("span", { title: row.why, class: `tag ${row.state === "live" ? "ready" :
      row.required && row.state !== "waived" ? "stuck" : ""}` }, row.state) },
    { key: "age_s", label: "Age", num: true, text: (row) => fmt.age(row.age_s),
      class: (row) => (row.age_s !== null && row.age_s > row.ttl_s ? "down" : "") },
    { key: "ttl_s", label: "Lives", num: true, text: (row) => (row.ttl_s ? fmt.age(row.ttl_s) : "–") },
  ], (row) => row.name, { empty: "Nothing was read yet.", name: "inputs" });
}

function framesTable() {
  return new Table([
    { key: "name", label: "" },
    { key: "trend", label: "Trend", node: (row) => tag({ up: "LONG", down: "SHORT" }[row.trend] ?? "", row.trend) },
    { key: "labels", label: "Swings" },
    { key: "momentum", label: "Momentum", num: true, text: (row) => `${fmt.signedFigure(row.momentum)}${row.fading ? " fading" : ""}`,
      class: (row) => sign(row.momentum) },
    { key: "atr_pct", label: "ATR", num: true, text: (row) => `${fmt.figure(row.atr_pct)}%` },
    { key: "atr_ratio", label: "÷ median", num: true, text: (row) => fmt.figure(row.atr_ratio) },
  ], (row) => row.name, { empty: "No snapshot yet.", name: "structure" });
}

function drawFlow(body, flow) {
  if (!("crowd_bias" in flow)) {
    body.replaceChildren(h("p", { class: "empty" }, "No flow yet."));
    return;
  }
  const known = (value, form) => (value === null ? "absent" : form(value));
  const signed = (value) => known(value, fmt.signedFigure);
  const pct = (digits) => (value) => `${value > 0 ? "+" : ""}${fmt.figure(value, digits)}%`;
  body.replaceChildren(
    figures([["crowd (−1 short, 1 long)", signed(flow.crowd_bias), sign(flow.crowd_bias)],
      ["trap (0–1)", `${fmt.figure(flow.trap_index)} ${flow.trap_side}`], ["funding", known(flow.funding_pct, pct(4))],
      ["open interest 1h", known(flow.oi_change_1h_pct, pct(2)), sign(flow.oi_change_1h_pct)],
      ["basis", known(flow.basis_pct, pct(3))], ["CVD 1h", known(flow.cvd_1h, (v) => fmt.whole(v)), sign(flow.cvd_1h)],
      ["ETF", signed(flow.etf), sign(flow.etf)], ["ETF 5 days", known(flow.etf_net_5d_usd, (v) => `${fmt.whole(v / 1e6)}M USD`)],
      ["liquidations", signed(flow.liquidations), sign(flow.liquidations)], ["sentiment", signed(flow.sentiment), sign(flow.sentiment)],
      ["global risk", `${fmt.figure(flow.risk.global_score)} (level ${fmt.whole(flow.risk.level)})`,
        flow.risk.level >= 4 ? "down" : ""]]),
    ...flow.warnings.map((word) => h("p", { class: "down" }, `⚠ ${word}: no entries`)),
    ...(flow.notes.length ? [h("p", { class: "dim" }, flow.notes.join("; "))] : []));
}

function drawRules(body, rules) {
  const side = (title, rows) => h("div", {}, h("h3", {}, title), h("ul", { class: "plain" }, rows.map((row) =>
    h("li", {}, h("span", { class: { pass: "up", fail: "down" }[row.result] ?? "dim" }, `${MARKS[row.result]} `),
      h("b", {}, row.code.replaceAll("_", " ").toLowerCase()), ` ${row.said}`))));
  const review = rules.review;
  body.replaceChildren(side("Gates, for both sides", rules.gates), side("Rules for a long", rules.long), side("Rules for a short", rules.short),
    review ? h("div", {}, h("h3", {}, `Review: ${review.outcome}`), h("ul", { class: "plain" }, review.opinions.map((one) =>
      h("li", {}, h("b", {}, `${one.by} (${one.id}) `), `${one.verdict} ${one.said}`)))) : "");
}
