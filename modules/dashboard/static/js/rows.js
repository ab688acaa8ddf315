// Tables and parts that several pages show.

import { act } from "./ask.js";
import { fmt, h, sign, tag } from "./dom.js";
import { Table } from "./table.js";

export function positionsTable() {
  return new Table([
    { key: "symbol", label: "Symbol" },
    { key: "symbol", label: "", node: (row) => act("Sell", `/sell ${row.symbol}`, { danger: true }) },
    { key: "mode", label: "Mode", mark: (row) => [row.mode, row.state],
      node: (row) => [tag(row.mode), row.state === "open" ? "" : ` ${row.state}`] },
    { key: "strategy", label: "Strategy", text: (row) => `${row.strategy} ${fmt.figure(row.confidence)}` },
    { key: "pct", label: "Move", num: true, text: (row) => fmt.pct(row.pct), class: (row) => sign(row.pct) },
    { key: "gain", label: "Open PnL", num: true, text: (row) => fmt.signed(row.gain), class: (row) => sign(row.gain) },
    { key: "taken", label: "Taken", num: true, text: (row) => fmt.signed(row.taken), class: (row) => sign(row.taken) },
    { key: "entry", label: "Entry", num: true, text: (row) => fmt.price(row.entry) },
    { key: "last", label: "Last", num: true, text: (row) => fmt.price(row.last) },
    { key: "stop", label: "Stop", num: true, text: (row) => fmt.price(row.stop) },
    { key: "target", label: "Next target", num: true,
      text: (row) => (row.target === null ? "trails" : `TP${row.tp_hit + 1} ${fmt.price(row.target)}`) },
    { key: "value", label: "Value", num: true, text: (row) => fmt.money(row.value) },
    { key: "opened_ms", label: "Held", num: true, text: (row) => fmt.age((row.seen_ms - row.opened_ms) / 1000) },
  ], (row) => `${row.mode} ${row.symbol}`, { empty: "No open positions.", name: "positions" });
}

export function latencyTable() {
  return new Table([
    { key: "service", label: "Process" }, { key: "name", label: "What" },
    { key: "ms", label: "Time", num: true, text: (row) => fmt.ms(row.ms) },
  ], (row) => `${row.service} ${row.name}`, { empty: "No process tells a latency.", name: "latency" });
}

export function processTable() {
  return new Table([
    { key: "title", label: "Process" },
    { key: "state", label: "State", node: (row) => tag(row.state) },
    { key: "cpu_pct", label: "CPU", num: true, text: (row) => (row.pid ? `${fmt.figure(row.cpu_pct, 1)}%` : "–") },
    { key: "rss_mb", label: "Memory", num: true, text: (row) => (row.pid ? fmt.mb(row.rss_mb) : "–") },
    { key: "pid", label: "PID", num: true, text: (row) => fmt.text(row.pid) },
    { key: "up_s", label: "Up", num: true, text: (row) => (row.pid ? fmt.age(row.up_s) : "–") },
    { key: "facts", label: "It tells", wide: true,
      text: (row) => row.facts.map(([name, value]) => `${name} ${value}`).join(" · ") },
  ], (row) => row.name, { name: "processes" });
}

// Long work under way, with how far it is.
export function drawRunning(body, rows) {
  body.replaceChildren(rows.length ? h("div", {}, rows.map((run) => h("div", { class: "progress" },
    h("p", {}, h("b", {}, run.kind), ` ${run.what}`), h("progress", { max: 1, value: run.share }), h("p", { class: "dim" },
      `${fmt.share(run.share * 100)}, ${run.step}, ${fmt.age(run.spent_s)} gone, by ${run.by}`)))) : h("p", { class: "empty" }, "Nothing runs."));
}
