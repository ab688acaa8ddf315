// Models and the card of one: who votes, what was promised, what was kept, how often it was right.

import { LineChart } from "./charts.js";
import { figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { moment, Table } from "./table.js";

const TONES = { good: "ready", votes: "ready", refused: "stuck", retired: "stuck" };

export function modelsTable(choose) {
  return new Table([
    { key: "name", label: "Model", node: (row) => h("button", { type: "button", class: "act", onclick: () => choose(row.name) }, row.name) },
    { key: "state", label: "State", node: (row) => tag(TONES[row.state] ?? "", row.state === "good" ? "votes" : row.state) },
    moment("trained_ms", "Trained"),
    { key: "rows", label: "Rows", num: true, text: (row) => fmt.whole(row.rows) },
    { key: "text", label: "In words", wide: true, node: (row) => h("span", { title: row.text }, row.text.split(";")[0].slice(0, 90)) },
  ], (row) => row.name, { empty: "There is no model yet. The trainer makes them.", name: "models" });
}

export function cardPanel() {
  const body = h("div", { class: "body" });
  const chart = new LineChart({ Approved: { colour: "--up" }, All: { colour: "--dim" } });
  const right = binsTable("Said", "Came true [95 %]", (row) => row.said, (row) => row.right, 100);
  const sure = binsTable("Confidence", "Net of a trade [95 %]", (row) => row.low, (row) => row.net, 1);
  const box = panel("Card", "half", body, chart.node, h("div", { class: "body" }, right.node, sure.node));
  return {
    node: box.node,
    remove: () => chart.remove(),
    update(card) {
      setText(box.note, card.name === "feedback" ? "feedback model" : card.name);
      const known = "state" in card;
      body.replaceChildren(
        known ? h("p", {}, tag(TONES[card.state] ?? "starting", card.state), card.aside ? ` ${card.aside}` : " it may veto, and its confidence sizes the exits") : "",
        card.problem ? h("p", { class: "dim" }, card.problem) : "",
        known ? h("div", {}, figures([["rows", fmt.whole(card.rows)], ["judged unseen", fmt.whole(card.judged)], ["base rate", fmt.share((card.base_rate ?? NaN) * 100)],
          ["trained", fmt.when(card.trained_ms)]]), ...[card.label && `Asks: ${card.label}.`, card.metrics, card.gate, card.promised && `Promised: ${card.promised}.`, `Kept: ${card.kept}.`]
          .filter(Boolean).map((text) => h("p", { class: "dim" }, text))) : "");
      chart.node.hidden = !card.all?.length;
      chart.update({ Approved: card.approved ?? [], All: card.all ?? [] });
      right.update((card.reliability ?? []).map((row, place) => ({ ...row, place })));
      sure.update((card.confidence ?? []).map((row, place) => ({ ...row, place })));
      right.node.hidden = sure.node.hidden = !card.reliability?.length;
    },
  };
}

function binsTable(first, second, said, told, scale) {
  const unit = (value) => `${fmt.figure(value * scale, scale === 1 ? 2 : 0)}${scale === 1 ? "" : ""}%`;
  return new Table([
    { key: "said", label: first, num: true, sort: said, text: (row) => (scale === 1 ? `${fmt.figure(row.low)} – ${fmt.figure(row.high)}` : unit(row.said)) },
    { key: "count", label: "n", num: true },
    { key: "right", label: second, num: true, sort: (row) => told(row)?.[0], class: (row) => (scale === 1 ? sign(told(row)?.[0]) : ""),
      text: (row) => (told(row) ? `${unit(told(row)[0])} [${told(row).slice(1).map((value) => fmt.figure(value * scale, scale === 1 ? 2 : 0)).join(", ")}]` : "–") },
  ], (row) => row.place, { empty: "Too few to say.", name: "card" });
}
