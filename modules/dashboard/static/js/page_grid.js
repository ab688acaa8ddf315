// Grid (system E): sessions, both legs of one, its worst case, webhooks, audit.

import { act, ask } from "./ask.js";
import { button, field } from "./form.js";
import { figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { moment, Table } from "./table.js";
import { whyPanel } from "./why.js";

export function create({ look }) {
  const wanted = { user: "" };
  const sessions = sessionsTable((user) => {
    wanted.user = user;
    look(wanted);
  });
  const list = panel("Sessions", "", h("div", { class: "body" }, sessions.node));
  list.tools.append(sessions.csvButton());
  const why = whyPanel();
  const headBody = h("div", { class: "body" });
  const head = panel("Grid", "two", headBody, startForm());
  head.tools.append(act("Stop", "/stopgrid", { danger: true }), act("Close all", "/stopgrid close", { danger: true }));
  const legs = [0, 1].map((place) => {
    const body = h("div", { class: "body" });
    return { place, body, box: panel(place ? "SELL" : "BUY", "half", body) };
  });
  const worstTable = endsTable();
  const worstBody = h("div");
  const worst = panel("Worst case it was started with", "", h("div", { class: "body" }, worstTable.node, worstBody));
  const hooks = eventsTable();
  const events = panel("Webhooks that wait or were given up", "half", h("div", { class: "body" }, hooks.node));
  events.tools.append(hooks.csvButton());
  const lines = auditTable();
  const audit = panel("Audit", "half", h("div", { class: "body" }, lines.node));
  audit.tools.append(lines.csvButton());
  let own = "";
  return {
    nodes: [head.node, why.node, ...legs.map((leg) => leg.box.node), worst.node, list.node, events.node, audit.node],
    arguments: () => wanted,
    update(told) {
      if (told.own) own = told.own;
      if (told.why) why.update(told.why);
      if (told.sessions) {
        sessions.update(told.sessions);
        setText(list.note, told.sessions.length ? `${told.sessions.length}` : "");
      }
      if ("chosen" in told) {
        drawHead(headBody, head.note, told.chosen, own);
        for (const leg of legs) drawLeg(leg, told.chosen, own);
        const proof = told.chosen?.worst ?? null;
        worstTable.update(proof ? proof.ends : []);
        drawProof(worstBody, worst.note, proof, told.chosen);
      }
      if (told.events) hooks.update(told.events);
      if (told.audit) lines.update(told.audit);
    },
  };
}

function startForm() {
  const symbol = h("input", { type: "text", id: "grid-symbol", placeholder: "BTCUSDT", maxlength: 24 });
  const lot = h("input", { type: "number", id: "grid-lot", placeholder: "setting", min: 0, step: "any" });
  const leverage = h("input", { type: "number", id: "grid-leverage", placeholder: "setting", min: 1, max: 150, step: 1 });
  const start = () => ask({ line: ["/startgrid", symbol.value.trim().toUpperCase(), lot.value, leverage.value].filter(Boolean).join(" ") });
  return h("div", { class: "body row-form" }, field("Contract", symbol), field("First lot", lot), field("Leverage", leverage),
    button("Start: shows first what it can lose", start, "yes"));
}

function drawHead(body, note, one, own) {
  if (!one) {
    setText(note, "");
    body.replaceChildren(h("p", { class: "empty" }, "No grid has run yet. The form shows what one could lose before it starts."));
    return;
  }
  setText(note, `${one.word || "–"} · ${one.user}${one.user === own ? " (standalone)" : ""} · wanted ${one.wanted.toLowerCase()}`);
  body.replaceChildren(
    h("p", { class: "big" }, tag(one.wanted === "RUNNING" ? "ready" : "", one.mode), ` ${one.symbol} `, fmt.price(one.price)),
    figures([["break-even", fmt.price(one.break_even)], ["signal", one.signal], ["day", fmt.signed(one.day), sign(one.day)],
      ["closed, after fees", fmt.signed(one.realised - one.fees), sign(one.realised - one.fees)], ["fees", fmt.money(one.fees)],
      ["closed positions", `${one.trades} (${one.wins} won)`], ["balance", fmt.money(one.balance)],
      ["orders under way", fmt.whole(one.pending)]]));
}

// Prices from high to low, as on a chart: entries, next level, stop, liquidation, the price itself.
function drawLeg({ place, body, box }, one, own) {
  const side = one?.sides[place];
  if (!side) {
    setText(box.note, "");
    body.replaceChildren(h("p", { class: "empty" }, "Nothing."));
    return;
  }
  setText(box.note, `${side.entries.length} of ${side.most} orders`);
  const rows = side.entries.map(([price, quantity, level]) => ({ price, text: `level ${level}`, more: fmt.text(quantity), tone: "accent" }));
  const add = (price, text, tone) => price !== null && rows.push({ price, text, more: "", tone });
  add(side.next, "next order", "dim");
  add(side.average, "average", "text");
  add(side.stop, "stop", "down");
  add(side.liquidation, "liquidation", "down");
  add(one.price, "price now", "warn");
  rows.sort((a, b) => b.price - a.price);
  const far = (price) => (one.price ? `${price >= one.price ? "+" : ""}${fmt.figure((price / one.price - 1) * 100)}%` : "");
  const gap = side.venue_quantity === null ? null : side.venue_quantity - side.quantity;
  body.replaceChildren(
    figures([["size", fmt.text(side.quantity)], ["result", fmt.signed(side.result), sign(side.result)],
      ["exchange says", side.venue_quantity === null ? "not read yet" : `${side.venue_quantity}${gap && Math.abs(gap) > 1e-12 ? ` (${fmt.signedFigure(gap, 6)})` : ""}`,
        gap && Math.abs(gap) > 1e-12 ? "warn" : ""],
      ["stop", side.stop === null ? (side.entries.length ? "NONE" : "–") : fmt.price(side.stop), side.entries.length && side.stop === null ? "down" : ""]]),
    side.blocked ? h("p", { class: "down" }, `Blocked: ${side.blocked}. New levels wait. `,
      one.user === own ? [act("Leave it outside", `/gridack ${side.side.toLowerCase()} leave`), " ", act("Adopt it", `/gridack ${side.side.toLowerCase()} adopt`)] : "") : "",
    h("ol", { class: "ladder" }, rows.map((row) => h("li", { class: row.text === "price now" ? "now" : "" },
      h("span", { class: row.tone }, row.text), h("span", {}, row.more), h("b", {}, fmt.price(row.price)), h("span", { class: "dim" }, far(row.price))))));
}

function endsTable() {
  const money = (key, label) => ({ key, label, num: true, text: (row) => fmt.money(row[key]), class: (row) => sign(row[key] < 0 ? row[key] : 0) });
  return new Table([
    { key: "name", label: "End", text: (row) => ({ down: "falls to the last BUY", up: "rises to the last SELL", both: "both sides full" })[row.name] },
    { key: "orders", label: "Orders", num: true }, { key: "affordable", label: "Paid for", num: true },
    { key: "last_price", label: "Last order at", num: true, text: (row) => fmt.price(row.last_price) },
    money("margin", "Margin"), money("fees", "Fees"), money("funding", "Funding"), money("loss", "Loss"), money("loss_at_stop", "Loss at stop"),
    { key: "stop", label: "Stop", num: true, text: (row) => fmt.price(row.stop) },
    { key: "liquidation", label: "Liquidation", num: true, text: (row) => (row.liquidation === null ? "none in reach" : fmt.price(row.liquidation)),
      class: (row) => (row.liquidated_at === null ? "" : "down") },
  ], (row) => row.name, { empty: "No proof is kept for this grid.", name: "worst-case" });
}

function drawProof(body, note, proof, one) {
  setText(note, proof ? `at ${fmt.price(proof.price)}, balance ${fmt.money(proof.balance)}, leverage ${proof.leverage}, limit of loss ${fmt.money(proof.limit)}` : "");
  body.replaceChildren(...(proof?.unsafe ?? []).map((text) => h("p", { class: "down" }, `⚠ ${text}`)),
    proof?.unsafe.length && one.accepted ? h("p", { class: "warn" }, `This risk was accepted by ${one.accepted.by ?? "?"}.`) : "");
}

function sessionsTable(choose) {
  return new Table([
    { key: "user", label: "User", node: (row) => h("button", { type: "button", class: "act", onclick: () => choose(row.user) }, row.user) },
    { key: "word", label: "Mode", node: (row) => (row.word ? tag(row.word) : "") }, { key: "symbol", label: "Contract" },
    { key: "wanted", label: "Wanted" }, { key: "mode", label: "State" },
    { key: "buy", label: "BUY", num: true, text: (row) => fmt.text(row.buy) }, { key: "sell", label: "SELL", num: true, text: (row) => fmt.text(row.sell) },
    { key: "open", label: "Open PnL", num: true, text: (row) => fmt.signed(row.open), class: (row) => sign(row.open) },
    { key: "day", label: "Day", num: true, text: (row) => fmt.signed(row.day), class: (row) => sign(row.day) },
    { key: "closed", label: "Closed", num: true, text: (row) => fmt.signed(row.closed), class: (row) => sign(row.closed) },
    { key: "holder", label: "Worker", text: (row) => (row.leased ? row.holder : row.wanted === "STOPPED" ? "–" : "nobody"),
      class: (row) => (!row.leased && row.wanted !== "STOPPED" ? "down" : "") },
    { key: "saved_s", label: "Saved", num: true, text: (row) => (row.saved_s === null ? "never" : `${fmt.age(row.saved_s)} ago`) },
    { key: "queued", label: "Webhooks", num: true, text: (row) => (row.dead ? `${row.queued}, ${row.dead} dead` : fmt.text(row.queued)),
      class: (row) => (row.dead ? "down" : "") },
    { key: "problem", label: "Trouble", wide: true, class: () => "down",
      text: (row) => [row.refused && `key refused: ${row.refused}`, row.problem, row.blocked].filter(Boolean).join("; ") },
  ], (row) => row.user, { empty: "No session yet.", name: "grid-sessions" });
}

function eventsTable() {
  return new Table([
    { key: "user_id", label: "User" }, { key: "kind", label: "Event" }, moment("created_ms", "Made"),
    { key: "state", label: "State", node: (row) => tag(row.state === "dead" ? "stuck" : "", row.state) }, { key: "tries", label: "Tries", num: true },
    moment("due_ms", "Next try", (row) => (row.state === "dead" ? "–" : fmt.time(row.due_ms))),
    { key: "error", label: "Why not", wide: true },
  ], (row) => row.number, { empty: "None: everything has arrived, or nobody asked for webhooks.", name: "webhooks" });
}

function auditTable() {
  return new Table([
    moment("ms", "When"), { key: "who", label: "Who" }, { key: "what", label: "What", wide: true },
    { key: "user_id", label: "User" }, { key: "outcome", label: "Outcome" }, { key: "address", label: "From" },
  ], (row) => row.number, { empty: "Nothing yet.", name: "grid-audit" });
}
