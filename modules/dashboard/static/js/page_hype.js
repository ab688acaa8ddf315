// Hype: the funnel of the scan, close looks, positions, trades, judgements, why nothing is bought.

import { bars, figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { drawWhy } from "./page_overview.js";
import { positionsTable } from "./rows.js";
import { Table } from "./table.js";

function checksTable() {
  return new Table([
    { key: "symbol", label: "Symbol" }, { key: "ms", label: "When (UTC)", text: (row) => fmt.time(row.ms) },
    { key: "strategy", label: "Strategy" }, { key: "verdict", label: "Verdict" },
    { key: "confidence", label: "Confidence", num: true, text: (row) => fmt.figure(row.confidence) },
    { key: "probability", label: "Probability", num: true, text: (row) => fmt.figure(row.probability, 3) },
    { key: "codes", label: "Reasons", wide: true }, { key: "text", label: "Words", wide: true },
  ], (row) => row.symbol, { empty: "Nothing was looked at closely yet.", name: "candidates" });
}

function tradesTable() {
  return new Table([
    { key: "ms", label: "When (UTC)", text: (row) => fmt.time(row.ms) },
    { key: "symbol", label: "Symbol" }, { key: "side", label: "Side", node: (row) => tag(row.side) },
    { key: "price", label: "Price", num: true, text: (row) => fmt.price(row.price) },
    { key: "quote", label: "USDT", num: true, text: (row) => fmt.money(row.quote) },
    { key: "pnl", label: "PnL", num: true, text: (row) => fmt.signed(row.pnl), class: (row) => sign(row.pnl) },
    { key: "pnl_pct", label: "%", num: true, text: (row) => fmt.pct(row.pnl_pct), class: (row) => sign(row.pnl_pct) },
    { key: "fee", label: "Fee", num: true, text: (row) => fmt.figure(row.fee, 4) },
    { key: "strategy", label: "Strategy" }, { key: "reason", label: "Reason" },
  ], (row) => `${row.ms} ${row.symbol} ${row.side} ${row.price} ${row.quote}`, { empty: "No trades yet.", name: "trades" });
}

export function create() {
  const funnelBody = h("div", { class: "body" });
  const funnel = panel("Last scan", "third", funnelBody);
  const codesBody = h("div", { class: "body" });
  const codes = panel("Why candidates were rejected", "third", codesBody);
  const whyBody = h("div", { class: "body" });
  const why = panel("Why", "third", whyBody);
  const held = positionsTable();
  const positions = panel("Positions", "", h("div", { class: "body" }, held.node));
  const checks = checksTable();
  const looks = panel("Close looks", "", h("div", { class: "body" }, checks.node));
  looks.tools.append(checks.csvButton());
  const made = tradesTable();
  const trades = panel("Trades", "", h("div", { class: "body" }, made.node));
  trades.tools.append(made.csvButton());
  return {
    nodes: [funnel.node, codes.node, why.node, positions.node, looks.node, trades.node],
    update(told) {
      if (told.scan) drawScan(funnelBody, funnel.note, told.scan);
      if (told.codes) {
        codesBody.replaceChildren(told.codes.length ? bars(told.codes.map(([name, value]) => ({ name, value }))) :
          h("p", { class: "empty" }, "None of late."));
      }
      if (told.why) drawWhy(whyBody, told.why);
      if (told.positions) held.update(told.positions);
      if (told.checks) checks.update(told.checks);
      if (told.trades) made.update(told.trades);
    },
  };
}

function drawScan(body, note, scan) {
  setText(note, scan.market_ms ? `${fmt.time(scan.market_ms)} UTC · ${scan.scans} scans · ${fmt.ms(scan.scan_ms)}` : "");
  body.replaceChildren(
    scan.error ? h("p", { class: "down" }, scan.error) : "",
    scan.funnel.length ? bars(scan.funnel.map(([name, value]) => ({ name: name.replaceAll("_", " "), value }))) :
      h("p", { class: "empty" }, "The scanner has not scanned yet."),
    figures([["mood", fmt.text(scan.mood)], ["BTC 1h", fmt.pct(scan.btc_1h_pct), sign(scan.btc_1h_pct)],
      ["BTC 24h", fmt.pct(scan.btc_24h_pct), sign(scan.btc_24h_pct)]]),
    h("p", { class: "dim" }, `Feedback model: ${scan.feedback}`));
}
