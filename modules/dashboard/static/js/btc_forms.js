// What a person tells system C: sentiment, ETF flows, liquidation zones. Checked by the server before it counts.

import { button, field, post, problems } from "./form.js";
import { fmt, h, panel, setText } from "./dom.js";

const HINTS = {
  sentiment: "From −1 (bearish) to 1 (bullish), then a note. JSON: {\"score\": 0.4, \"note\": \"why\", \"halt\": false}; halt stops entries.",
  etf: "A day and its funds, one day a line, US trading days only. Or JSON with days.",
  liqmap: "Longs are liquidated below the price, shorts above it. One zone a line, or JSON with zones.",
};

export function manualForms(symbol) {
  const forms = Object.fromEntries(["sentiment", "etf", "liqmap"].map((kind) => [kind, new ManualForm(kind, symbol)]));
  return {
    nodes: Object.values(forms).map((one) => one.box.node),
    update(told) {
      for (const [kind, form] of Object.entries(forms)) form.update(told[kind]);
    },
  };
}

class ManualForm {
  constructor(kind, symbol) {
    this.kind = kind;
    this.symbol = symbol;
    this.text = h("textarea", { id: `text-${kind}`, rows: kind === "sentiment" ? 2 : 4, maxlength: 200000, spellcheck: "false" });
    this.said = h("div");
    this.past = h("div");
    this.file = h("input", { type: "file", accept: ".json,.txt,application/json,text/plain", class: "file", "aria-label": "From a file",
      onchange: () => this.load() });
    const row = h("div", { class: "controls" }, button("Check", () => this.send("/check")), button("Enter", () => this.send(""), "yes"),
      button("Undo newest", () => this.send("/undo"), "danger"), this.file);
    this.box = panel({ sentiment: "Sentiment", etf: "ETF flows", liqmap: "Liquidation zones" }[kind], "third",
      h("div", { class: "body" }, field("New version", this.text, HINTS[kind]), row, this.said, this.past));
  }

  async load() {
    const file = this.file.files[0];
    if (file) this.text.value = await file.text();
    this.file.value = "";
  }

  async send(act) {
    const body = { symbol: this.symbol() };
    if (act !== "/undo") body.text = this.text.value;
    const reply = await post(`/api/showdown/${this.kind}${act}`, body);
    if (!reply.ok) {
      this.said.replaceChildren(problems([...reply.problems, "Nothing was changed."]));
      return;
    }
    const told = act === "/check" ? ["Good. Nothing is changed yet: Enter makes it count."] :
      act === "/undo" ? [`Version ${reply.body.undone.version} was taken back; ${reply.body.counts ? `version ${reply.body.counts.version} counts again` : "nothing counts now: neutral"}.`] :
        [`Version ${reply.body.version} counts from the next decision on.`];
    this.said.replaceChildren(problems(told, "up"));
    if (act === "") this.text.value = "";
  }

  update(told) {
    this.text.placeholder = told.example;
    setText(this.box.note, told.counts ? `version ${told.counts} counts` : "nothing entered: neutral");
    const open = this.past.querySelector("details")?.open ?? true;
    this.past.replaceChildren(told.versions.length ? h("details", { open }, h("summary", {}, `History (${told.versions.length})`),
      h("ul", { class: "plain" }, told.versions.map((one) => h("li", { class: one.undone_ms ? "dim" : "" },
        h("b", {}, `${one.version}${one.version === told.counts ? " counts" : one.undone_ms ? " undone" : ""} `),
        `${fmt.when(one.entered_ms)} ${one.source}: `, summary(this.kind, one.body))))) : h("p", { class: "dim" }, `For example: ${told.example}`));
  }
}

function summary(kind, body) {
  if (kind === "sentiment") return `${fmt.signedFigure(body.score)} ${body.note ?? ""}${body.halt ? " HALT" : ""}`;
  const million = (value) => `${value > 0 ? "+" : ""}${fmt.whole(value / 1e6)}M`;
  if (kind === "etf") {
    return [...body.days].sort((a, b) => (a.date < b.date ? 1 : -1)).slice(0, 4).map((day) => {
      const flows = Object.values(day.flows ?? {});
      return `${day.date} ${million(flows.length ? flows.reduce((a, b) => a + b, 0) : day.total)}`;
    }).join(", ");
  }
  return body.zones.slice(0, 5).map((zone) => `${zone.side} ${fmt.price(zone.low)}–${fmt.price(zone.high)} ${fmt.whole(zone.size_usd / 1e6)}M`).join(", ");
}
