// The health bar: on every page what must be seen at a glance.

import { fmt, h, sign } from "./dom.js";

const chip = (tone, ...parts) => h("span", { class: `chip ${tone}` }, parts);
const dot = (tone) => h("i", { class: tone });

export class Bar {
  constructor(node, end) {
    this.node = node;
    this.end = end;
    this.mark = "";
  }

  update(told) {
    const mark = JSON.stringify({ ...told, market_ms: 0 });
    if (mark === this.mark) return; // a finger on it keeps its place
    this.mark = mark;
    const at = this.node.scrollLeft;
    this.node.classList.toggle("real", told.real);
    document.title = `${told.mode} ${told.pnl === undefined ? "" : fmt.signed(told.pnl)} · Coxswain`;
    this.node.replaceChildren(...this.chips(told), this.end);
    this.node.scrollLeft = at;
  }

  chips(told) {
    const trading = told.trading ?? "";
    const troubled = told.troubles.map((one) => `${one.name} ${one.state}`).join(", ");
    const found = [
      chip(`mode-${told.mode}`, h("b", {}, told.mode), told.real ? `${told.venue}: REAL MONEY` : told.venue),
    ];
    if (trading && trading !== "ACTIVE") found.push(chip("bad", h("b", {}, trading), told.why ?? ""));
    if (told.pnl !== undefined) {
      found.push(chip("", "today", h("b", { class: sign(told.pnl) }, `${fmt.signed(told.pnl)} (${fmt.pct(told.pnl_pct)})`)));
    }
    if (told.equity !== undefined && told.equity !== null) found.push(chip("", "equity", h("b", {}, fmt.money(told.equity))));
    found.push(chip(troubled ? "bad" : "", dot(troubled ? "bad" : told.running ? "ok" : ""),
      troubled || `${told.running} of ${told.wanted} services`));
    if (!told.bot) found.push(chip("bad", dot("bad"), "bot.py does not run: nothing can be commanded"));
    for (const link of told.links) {
      const one = chip(link.ok ? "" : "bad", dot(link.ok ? "ok" : "bad"), link.ok ? link.name : `${link.name}: ${link.text}`);
      one.title = link.text;
      found.push(one);
    }
    if (told.data_age_s !== null) {
      found.push(chip(told.data_age_s > 30 ? "near" : "", "data", h("b", {}, `${fmt.age(told.data_age_s)} old`)));
    }
    for (const limit of told.limits ?? []) {
      found.push(chip(limit.latched ? "bad" : "near", limit.latched ? "limit reached:" : "near limit:", limit.name,
        h("b", {}, `${fmt.figure(limit.value, 1)} of ${fmt.figure(limit.limit, 0)}${limit.unit}`)));
    }
    const weight = (node) => (node.classList.contains("bad") ? 0 : node.classList.contains("near") ? 1 : 2);
    return [found[0], ...found.slice(1).sort((one, other) => weight(one) - weight(other))]; // trouble first: a phone is narrow
  }
}

