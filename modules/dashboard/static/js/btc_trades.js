// System C's trades: what is held, decisions, and for each trade its orders, fills and cost.

import { fmt, h, sign, tag } from "./dom.js";
import { moment, Table } from "./table.js";

const money = (key, label) => ({ key, label, num: true, text: (row) => fmt.signed(row[key]), class: (row) => sign(row[key]) });
const price = (key, label) => ({ key, label, num: true, text: (row) => fmt.price(row[key]) });

export function heldTable() {
  return new Table([
    { key: "symbol", label: "Contract" }, { key: "mode", label: "Mode", node: (row) => tag(row.mode) },
    { key: "side", label: "Side", node: (row) => tag(row.side) }, { key: "state", label: "State" },
    { key: "quantity", label: "Size", num: true, text: (row) => fmt.text(row.quantity) }, price("entry", "Entry"), price("mark", "Mark"),
    money("unrealised", "Open PnL"), price("stop", "Stop"),
    { key: "tp1", label: "TP1", num: true, text: (row) => (row.part_done ? "taken" : fmt.price(row.tp1)) }, price("tp2", "TP2"),
    moment("decided_ms", "Decided"),
  ], (row) => `${row.mode} ${row.symbol}`, { empty: "No position.", name: "btc-position" });
}

export function decisionsTable() {
  return new Table([
    moment("ms", "When", (row) => (row.times > 1 ? `${fmt.time(row.since_ms)} … ${fmt.time(row.ms).slice(6)}` : fmt.time(row.ms))),
    { key: "action", label: "Action", node: (row) => tag({ long: "LONG", short: "SHORT" }[row.action] ?? "", row.action) },
    { key: "times", label: "Times", num: true },
    { key: "confidence", label: "Confidence", num: true, text: (row) => fmt.figure(row.confidence) },
    { key: "reason", label: "Reason", text: (row) => row.reason.replaceAll("_", " ") },
    { key: "said", label: "Why", wide: true },
  ], (row) => row.ms, { empty: "No decision is in the database yet.", name: "decisions" });
}

function orders(rows) {
  const table = new Table([
    { key: "leg", label: "Order", text: (row) => fmt.text(row.leg) }, { key: "type", label: "Type", text: (row) => fmt.text(row.type) },
    { key: "side", label: "Side", node: (row) => (row.side ? tag(row.side) : "") },
    { key: "quantity", label: "Size", num: true, text: (row) => fmt.text(row.quantity) },
    { key: "price", label: "Price", num: true, text: (row) => fmt.price(row.price ?? row.trigger) },
    { key: "filled", label: "Filled", num: true, text: (row) => fmt.text(row.filled) },
    { key: "average", label: "At", num: true, text: (row) => fmt.price(row.average) },
    { key: "status", label: "End" }, moment("created_ms", "Sent"),
    { key: "id", label: "Client id" },
  ], (row) => row.id, { empty: "No orders." });
  table.update(rows);
  return table.node;
}

function fills(rows) {
  const table = new Table([
    moment("ms", "Fill"), { key: "leg", label: "Of", text: (row) => fmt.text(row.leg) },
    { key: "side", label: "Side", node: (row) => (row.side ? tag(row.side) : "") }, price("price", "Price"),
    { key: "quantity", label: "Size", num: true, text: (row) => fmt.text(row.quantity) },
    { key: "fee", label: "Fee", num: true, text: (row) => fmt.figure(row.fee, 4) }, money("realised", "Realised"),
    { key: "maker", label: "", text: (row) => (row.maker === undefined ? "not in the database yet" : row.maker ? "maker" : "taker") },
    { key: "id", label: "Trade id" },
  ], (row) => row.id, { empty: "No fills." });
  table.update(rows);
  return table.node;
}

export function chainList(body, chains) {
  const opened = new Set([...body.querySelectorAll("details[open]")].map((one) => one.dataset.id));
  body.replaceChildren(...(chains.length ? chains.map((one) => chain(one, opened.has(one.id))) :
    [h("p", { class: "empty" }, "No trade has ended yet.")]));
}

function chain(one, open) {
  const cost = `entry slip ${fmt.signed(one.slip)}, fees ${fmt.money(one.fees)}, funding ${fmt.signed(one.funding)}`;
  return h("details", { class: "chain", open, "data-id": one.id },
    h("summary", {}, tag(one.mode), " ", tag(one.side.toUpperCase()), ` ${one.symbol} ${fmt.when(one.closed_ms)} `,
      h("b", { class: sign(one.net) }, `${fmt.signed(one.net)} USDT (${fmt.r(one.r)})`), h("span", { class: "dim" }, ` ${one.ended}`)),
    h("p", {}, `Decided ${fmt.when(one.decided_ms)}: ${one.reason.replaceAll("_", " ")}, confidence ${fmt.figure(one.confidence)} → ${one.quotes} quotes, ${one.emergencies} emergency → ` +
      `${one.quantity} in at ${fmt.price(one.entry)}, out at ${fmt.price(one.exit)} → realised ${fmt.signed(one.realised)}, ${cost} → net ${fmt.signed(one.net)}.`),
    orders(one.orders), fills(one.fills));
}
