// Charts: TradingView's lightweight-charts, in a trader's colours, with crosshair and zoom; they follow the theme.

import { BaselineSeries, createChart, CrosshairMode, HistogramSeries, LineSeries } from "/static/vendor/lightweight-charts-5.2.1.mjs";
import { h } from "./dom.js";
import { axisTime, crosshairTime } from "./times.js";

const alive = new Set();
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function look() {
  return {
    layout: { background: { color: colour("--panel") }, textColor: colour("--dim"), fontSize: 11, attributionLogo: true },
    grid: { vertLines: { color: colour("--raise") }, horzLines: { color: colour("--raise") } },
    rightPriceScale: { borderColor: colour("--line") }, leftPriceScale: { borderColor: colour("--line") },
    timeScale: { borderColor: colour("--line"), timeVisible: true, secondsVisible: false, tickMarkFormatter: axisTime },
    localization: { timeFormatter: crosshairTime },
  };
}

export class Chart {
  constructor(low, options = {}) {
    this.node = h("div", { class: low ? "chart low none" : "chart none", "data-none": "Nothing to draw yet." });
    this.chart = createChart(this.node, { autoSize: true, crosshair: { mode: CrosshairMode.Normal }, ...look() });
    this.chart.applyOptions(options);
    this.held = false;  // somebody zoomed or moved it: it stays as they left it
    this.full = 0; // points it shows; figures may come before the place has its size
    this.sized = new ResizeObserver(() => this.fit({ length: this.full }));
    this.sized.observe(this.node);
    for (const act of ["pointerdown", "wheel"]) this.node.addEventListener(act, () => { this.held = true; }, { passive: true });
    alive.add(this);
  }

  restyle() {
    this.chart.applyOptions(look());
    this.paint?.();
  }

  fit(points) {
    this.full = points.length;
    this.node.classList.toggle("none", points.length < 2); // one point is no line: words stand instead
    if (!this.held && points.length > 1) this.chart.timeScale().fitContent();
  }

  remove() {
    alive.delete(this);
    this.sized.disconnect();
    this.chart.remove();
  }
}

export function restyleAll() {
  for (const chart of alive) chart.restyle();
}

// Above where it began green, below red.
export class EquityChart extends Chart {
  constructor() {
    super(false);
    this.series = this.chart.addSeries(BaselineSeries, { lineWidth: 2, priceLineVisible: false });
    this.hold = this.chart.addSeries(LineSeries, { lineWidth: 1, priceLineVisible: false, crosshairMarkerVisible: false });
    this.paint();
  }

  // The same money in something held: a thin line beside, named.
  beside(points, name) {
    this.hold.applyOptions({ title: points.length ? name : "", lastValueVisible: points.length > 0 });
    this.hold.setData(points.map(([time, value]) => ({ time, value })));
    if (points.length > 1) this.fit(points);
  }

  paint() {
    const up = colour("--up");
    const down = colour("--down");
    this.series.applyOptions({
      topLineColor: up, topFillColor1: `${up}55`, topFillColor2: `${up}08`,
      bottomLineColor: down, bottomFillColor1: `${down}08`, bottomFillColor2: `${down}55`,
    });
    this.hold?.applyOptions({ color: colour("--dim") });
  }

  update(points) {
    if (points.length) this.series.applyOptions({ baseValue: { type: "price", price: points[0][1] } });
    this.series.setData(points.map(([time, value]) => ({ time, value })));
    this.fit(points);
  }
}

// One bar for each signal, as high as its quality: green won, red lost, grey still open.
export class QualityChart extends Chart {
  constructor() {
    super(false, { timeScale: { maxBarSpacing: 28 } });
    this.series = this.chart.addSeries(HistogramSeries, { priceLineVisible: false, lastValueVisible: false,
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }) });
    this.points = [];
  }

  paint() {
    const tone = (r) => (r === null ? colour("--dim") : r > 0 ? colour("--up") : colour("--down"));
    this.series.setData(this.points.map(([time, value, r]) => ({ time, value, color: tone(r) })));
  }

  update(points) {
    this.points = points;
    this.paint();
    this.fit(points);
  }
}

// Several lines; `lines`: {name: {colour, left}}; update({name: [[time, value]…]}).
export class LineChart extends Chart {
  constructor(lines, low = true) {
    const left = Object.values(lines).some((line) => line.left);
    super(low, { leftPriceScale: { visible: left }, ...(left ? { layout: { attributionLogo: false } } : {}) }); // it would hide a label
    this.lines = lines;
    this.series = Object.fromEntries(Object.entries(lines).map(([name, line]) => [name,
      this.chart.addSeries(LineSeries, { lineWidth: 2, title: name, priceLineVisible: false,
        priceScaleId: line.left ? "left" : "right" })]));
    this.paint();
  }

  paint() {
    for (const [name, line] of Object.entries(this.lines)) {
      this.series[name].applyOptions({ color: colour(line.colour) });
    }
  }

  update(points) {
    let longest = [];
    for (const [name, series] of Object.entries(this.series)) {
      const own = points[name] ?? [];
      series.setData(own.map(([time, value]) => ({ time, value })));
      if (own.length > longest.length) longest = own;
    }
    this.fit(longest);
  }
}
