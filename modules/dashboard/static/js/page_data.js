// Data: candles for backtests downloaded with progress; the sets there are, each token's span and what its check said.

import { act, ask } from "./ask.js";
import { button, field, select } from "./form.js";
import { fmt, h, panel, setText, tag } from "./dom.js";
import { drawRunning } from "./rows.js";
import { utcDate } from "./times.js";
import { moment, Table } from "./table.js";

export function create({ look }) {
  const wanted = { set: "" };
  const form = downloadForm();
  const fetch_ = panel("Download candles", "two", form.node);
  const runningBody = h("div", { class: "body" });
  const running = panel("Under way", "third", runningBody);
  running.tools.append(act("Cancel", "/data cancel", { danger: true }));
  const all = setsTable((name) => {
    wanted.set = name;
    look(wanted);
  });
  const sets = panel("Sets of candles", "", h("div", { class: "body" }, all.node));
  const runs = runsTable();
  const made = panel("Downloads and checks", "", h("div", { class: "body" }, runs.node));
  const tokens = filesTable();
  const files = panel("Tokens", "", h("div", { class: "body" }, tokens.node));
  files.tools.append(tokens.csvButton());
  return {
    nodes: [fetch_.node, running.node, sets.node, made.node, files.node],
    arguments: () => wanted,
    close: () => {},
    update(told) {
      if (told.choices) form.update(told.choices);
      if (told.running) drawRunning(runningBody, told.running);
      if (told.runs) runs.update(told.runs);
      if (told.chosen) wanted.set = told.chosen;
      if (told.sets) all.update(told.sets.map((row) => ({ ...row, chosen: row.name === wanted.set })));
      else if (told.chosen) all.update(all.rows.map((row) => ({ ...row, chosen: row.name === wanted.set })));
      if (told.files) {
        tokens.update(told.files.rows);
        setText(files.note, `${wanted.set}${told.files.more ? `, the first ${told.files.rows.length}; ${told.files.more} more` : ""}`);
      }
    },
  };
}

function downloadForm() {
  const exchange = select("dl-exchange", ["…"]);
  const symbols = h("input", { type: "text", id: "dl-symbols", placeholder: "BTC ETH PEPE", maxlength: 200, autocomplete: "off" });
  const top = h("input", { type: "number", id: "dl-top", min: 1, max: 2000, step: 1, placeholder: "none" });
  const interval = select("dl-interval", ["5m"]);
  const days = h("input", { type: "number", id: "dl-days", min: 1, max: 3650, step: 1, placeholder: "30" });
  const since = h("input", { type: "date", id: "dl-since" });
  const until = h("input", { type: "date", id: "dl-until" });
  const into = h("p", { class: "dim" });
  const said = h("p", { class: "dim", role: "status" });
  let own = { exchange: "", own: "5m" };
  const run = (text) => {
    setText(said, `Asked: ${text}. How far it is stands under "Under way"; the answer comes by itself.`);
    ask({ line: text }, { quiet: true }).finally(() => setText(said, ""));
  };
  const download = () => run(["/data download", symbols.value.trim(), top.value && `top=${top.value}`, days.value && `days=${days.value}`,
    since.value, until.value, `interval=${interval.value}`, exchange.value === own.exchange ? "" : `exchange=${exchange.value}`]
    .filter(Boolean).join(" "));
  const goes = () => setText(into, exchange.value === own.exchange && interval.value === own.own ?
    "They go to market_data, the candles that the program collects, trains on and tests with." :
    `They go to a set of their own, ${exchange.value}-${interval.value}; a backtest takes it by its name.`);
  exchange.addEventListener("change", goes);
  interval.addEventListener("change", goes);
  const node = h("div", { class: "body" },
    h("div", { class: "row-form" }, field("Exchange", exchange), field("Tokens", symbols), field("Most traded", top), field("Timeframe", interval)),
    h("div", { class: "row-form" }, field("Last days", days), field("or from", since), field("to", until)),
    h("div", { class: "row-form" }, button("Download", download, "yes"), button("Check collected", () => run("/data check"))),
    said, into, h("p", { class: "dim" }, "Only closed candles; a gap stays a gap; what is stored is not asked for again. No key is needed. Whatever trades goes first."));
  return {
    node,
    update(choices) {
      own = choices;
      fill(exchange, choices.exchanges, choices.exchange);
      fill(interval, choices.intervals, choices.own);
      goes();
    },
  };
}

function fill(list, options, first) {
  if ([...list.children].map((one) => one.value).join() === options.join()) return;
  list.replaceChildren(...options.map((name) => h("option", { value: name, selected: name === first }, name)));
}

function setsTable(choose) {
  return new Table([
    { key: "name", label: "Set", mark: (row) => [row.name, row.chosen], node: (row) => h("button", { type: "button",
      class: row.chosen ? "act on" : "act", "aria-pressed": String(row.chosen), onclick: () => choose(row.name) }, row.name) },
    { key: "exchange", label: "Exchange" }, { key: "interval", label: "Timeframe" },
    { key: "tokens", label: "Tokens", num: true }, { key: "first_ms", label: "From (UTC)", text: (row) => utcDate(row.first_ms) },
    { key: "last_ms", label: "To (UTC)", text: (row) => utcDate(row.last_ms) },
    { key: "mb", label: "Size", num: true, text: (row) => `${fmt.figure(row.mb, 1)} MB` },
    { key: "collected", label: "", mark: (row) => row.name, node: (row) => [act("Check", `/data check ${row.name}`),
      ...(row.collected ? [] : [" ", act("Delete", `/data delete ${row.name}`, { danger: true })])] },
  ], (row) => row.name, { empty: "No candles are on the disk yet. The form above fetches some.", name: "candle-sets" });
}

function runsTable() {
  return new Table([
    { key: "what", label: "What", wide: true },
    { key: "state", label: "State", node: (row) => tag({ done: "ready", failed: "stuck" }[row.state] ?? "starting", row.state) },
    { key: "added", label: "New candles", num: true, text: (row) => fmt.whole(row.added) }, moment("ended_ms", "Ended"),
    { key: "spent_s", label: "Took", num: true, text: (row) => fmt.age(row.spent_s) }, { key: "by", label: "By" },
    { key: "said", label: "Said", wide: true, class: () => "down", text: (row) => row.said },
  ], (row) => row.id, { empty: "Nothing was downloaded from here yet.", name: "downloads" });
}

function filesTable() {
  return new Table([
    { key: "symbol", label: "Symbol" }, { key: "first_ms", label: "From (UTC)", text: (row) => utcDate(row.first_ms) },
    { key: "last_ms", label: "To (UTC)", text: (row) => utcDate(row.last_ms) },
    { key: "rows", label: "Candles", num: true, text: (row) => fmt.whole(row.rows) },
    { key: "mb", label: "Size", num: true, text: (row) => `${fmt.figure(row.mb)} MB` },
    { key: "state", label: "Check", mark: (row) => row.state, node: (row) => tag(row.tone, row.state) },
    { key: "gap_count", label: "Gaps", num: true, text: (row) => fmt.whole(row.gap_count) },
    { key: "missing", label: "Missing", num: true, text: (row) => fmt.whole(row.missing) },
    moment("checked_ms", "Checked"), { key: "said", label: "Said", wide: true, text: (row) => row.said },
  ], (row) => row.symbol, { empty: "No tokens.", name: "candles" });
}
