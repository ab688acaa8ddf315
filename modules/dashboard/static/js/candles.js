// A candle chart with what a trader looks for on it: levels, zones, marks. Everything comes as plain rows.

import { CandlestickSeries, createSeriesMarkers, LineStyle } from "/static/vendor/lightweight-charts-5.2.1.mjs";
import { Chart, colour } from "./charts.js";
import { Indicators } from "./indicators.js";

// Bands between two prices over the whole width: a primitive of the library.
class Bands {
  constructor() {
    this.rows = [];
    this.views = [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
  }

  attached({ series, requestUpdate }) {
    this.series = series;
    this.requestUpdate = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  set(rows) {
    this.rows = rows;
    this.requestUpdate?.();
  }

  draw(target) {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      context.font = "11px system-ui, sans-serif";
      for (const band of this.rows) {
        const top = this.series.priceToCoordinate(band.high);
        const bottom = this.series.priceToCoordinate(band.low);
        if (top === null || bottom === null) continue;
        const tone = colour(`--${band.tone}`);
        context.fillStyle = `${tone}33`;
        context.fillRect(0, top, mediaSize.width, Math.max(2, bottom - top));
        context.fillStyle = tone;
        context.fillText(band.text, 6, Math.max(10, top - 3));
      }
    });
  }
}

export class CandleChart extends Chart {
  constructor() {
    super(false);
    this.series = this.chart.addSeries(CandlestickSeries, { borderVisible: false, priceLineVisible: true });
    this.bands = new Bands();
    this.series.attachPrimitive(this.bands);
    this.markers = createSeriesMarkers(this.series, []);
    this.indicators = new Indicators(this.chart, colour);
    this.levels = [];
    this.told = { candles: [], lines: [], bands: [], marks: [] };
    this.name = "";
    this.paint();
  }

  paint() {
    const up = colour("--up");
    const down = colour("--down");
    this.series.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    if (this.told) this.draw();
    this.indicators?.update(this.told.indicators ?? [], this.told.candles);
  }

  // name: what is shown (symbol and interval); another one is fitted anew.
  update(told, name = "") {
    if (name !== this.name) {
      this.name = name;
      this.held = false;
    }
    this.told = told;
    const last = told.candles.at(-1)?.[4] ?? 1;
    const places = Math.max(0, Math.min(10, 5 - Math.floor(Math.log10(Math.abs(last) || 1)) - 1));
    this.series.applyOptions({ priceFormat: { type: "price", precision: places, minMove: 10 ** -places } });
    this.series.setData(told.candles.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
    this.indicators.update(told.indicators ?? [], told.candles);
    this.node.classList.toggle("tall", (told.indicators ?? []).some((one) => one.pane === "rsi"));
    this.draw();
    this.fit(told.candles);
  }

  draw() {
    for (const level of this.levels) this.series.removePriceLine(level);
    const lines = this.told.lines.filter((line) => line.price !== null && line.price !== undefined);
    this.levels = lines.map((line) => this.series.createPriceLine({ price: line.price, title: line.text, lineWidth: 1,
      color: colour(`--${line.tone}`), lineStyle: LineStyle.Dashed, axisLabelVisible: true }));
    const prices = [...lines.map((line) => line.price), ...(this.told.bands ?? []).filter((band) => band.tone === "accent")
      .flatMap((band) => [band.low, band.high])];
    this.series.applyOptions({ autoscaleInfoProvider: (original) => widened(original(), prices) });
    this.bands.set(this.told.bands ?? []);
    const first = this.told.candles[0]?.[0] ?? Infinity;
    this.markers.setMarkers((this.told.marks ?? []).filter((mark) => mark.s >= first).sort((a, b) => a.s - b.s).map((mark) => ({
      time: mark.s, position: mark.up ? "belowBar" : "aboveBar", color: colour(`--${mark.tone}`),
      shape: mark.shape ?? (mark.up ? "arrowUp" : "arrowDown"), text: mark.text, size: 1 })));
  }
}

// Levels near the candles are kept in sight; far ones are not, for they would press the candles flat.
function widened(info, prices) {
  if (!info?.priceRange) return info;
  const { minValue, maxValue } = info.priceRange;
  const room = Math.max(maxValue - minValue, maxValue * 0.002) * 2;
  const near = prices.filter((price) => price > minValue - room && price < maxValue + room);
  return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
}
