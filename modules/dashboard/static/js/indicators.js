// Indicators on a chart: a menu to choose them (kept in this browser), and their lines.

import { HistogramSeries, LineSeries, LineStyle } from "/static/vendor/lightweight-charts-5.2.1.mjs";
import { h } from "./dom.js";

const KINDS = { EMA: "EMA", SMA: "SMA", BB: "Bollinger", RSI: "RSI", VOL: "Volume" };
const USUAL = { EMA: 20, SMA: 100, BB: 20, RSI: 14 };
const MOST = 6;
const INKS = ["--ink3", "--warn", "--ink4", "--ink5", "--ink6", "--accent"];
const kept = () => (localStorage.getItem("indicators") ?? "").split(",").filter(Boolean).slice(0, MOST);

// changed(): the choice is another one; `text()` is what the server is asked for.
export function indicatorMenu(changed) {
  let chosen = kept();
  const kind = h("select", { "aria-label": "Indicator", onchange: () => {
    length.value = USUAL[kind.value] ?? "";
    length.hidden = kind.value === "VOL";
  } }, Object.entries(KINDS).map(([value, label]) => h("option", { value }, label)));
  const length = h("input", { type: "number", min: 2, max: 200, step: 1, value: USUAL.EMA, "aria-label": "Candles" });
  const said = h("small", { class: "dim" });
  const list = h("span", { class: "controls" });
  const choose = (next) => {
    chosen = next;
    localStorage.setItem("indicators", chosen.join(","));
    draw();
    changed();
  };
  const add = () => {
    const name = kind.value === "VOL" ? "VOL" : `${kind.value} ${Number(length.value)}`;
    const good = kind.value === "VOL" || (/^\d+$/.test(length.value) && Number(length.value) >= 2 && Number(length.value) <= 200);
    said.textContent = !good ? "A length is 2 to 200 candles." : chosen.length >= MOST ? "Six at most: take one away first." : "";
    if (!said.textContent && !chosen.includes(name)) choose([...chosen, name]);
  };
  const draw = () => list.replaceChildren(...chosen.map((name) => h("button", { type: "button", class: "act on", title: "Take it away",
    "aria-label": `Take away ${name}`, onclick: () => choose(chosen.filter((one) => one !== name)) }, `${name} ✕`)));
  draw();
  const node = h("details", { class: "menu" }, h("summary", {}, "Indicators"), h("div", { class: "controls" }, kind, length,
    h("button", { type: "button", class: "act", onclick: add }, "Add"), said), list);
  return { node, text: () => chosen.join(",") };
}

// The lines themselves, on a CandleChart's own chart; RSI has a pane below, volume the foot of the candles.
export class Indicators {
  constructor(chart, colour) {
    this.chart = chart;
    this.colour = colour;
    this.made = new Map();
    this.rows = [];
  }

  update(rows, candles) {
    this.rows = rows;
    const names = new Set(rows.map((row) => row.name));
    for (const [name, lines] of this.made) {
      if (names.has(name)) continue;
      for (const line of lines) this.chart.removeSeries(line);
      this.made.delete(name);
    }
    for (const row of rows) {
      if (!this.made.has(row.name)) this.made.set(row.name, row.lines.map((_, place) => this.line(row, place)));
      row.lines.forEach((values, place) => this.made.get(row.name)[place].setData(candles.map((candle, at) => this.point(row, candle, values[at]))));
    }
    this.paint();
  }

  point(row, candle, value) {
    if (value === null || value === undefined) return { time: candle[0] };
    return row.pane === "volume" ? { time: candle[0], value, color: `${this.colour(candle[4] >= candle[1] ? "--up" : "--down")}66` } : { time: candle[0], value };
  }

  line(row, place) {
    if (row.pane === "volume") {
      const bars = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
      bars.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
      return bars;
    }
    const below = row.pane === "rsi";
    const middle = row.lines.length === 1 || place === 1;
    const line = this.chart.addSeries(LineSeries, { lineWidth: 1, priceLineVisible: false, crosshairMarkerVisible: false, lastValueVisible: middle,
      title: middle ? row.name : "", lineStyle: middle ? LineStyle.Solid : LineStyle.Dotted }, below ? 1 : 0);
    if (below) {
      for (const price of [30, 70]) line.createPriceLine({ price, lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: false, color: this.colour("--dim") });
    }
    return line;
  }

  paint() {
    this.rows.forEach((row, place) => {
      if (row.pane === "volume") return;
      for (const line of this.made.get(row.name) ?? []) line.applyOptions({ color: this.colour(INKS[place % INKS.length]) });
    });
  }
}
