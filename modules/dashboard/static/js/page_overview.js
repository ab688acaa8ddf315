// Overview: equity, what is held, the crew with start and stop, alerts, why nothing is bought.

import { act } from "./ask.js";
import { EquityChart } from "./charts.js";
import { bars, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { positionsTable } from "./rows.js";
import { utc } from "./times.js";
import { Table } from "./table.js";
import { whyPanel } from "./why.js";

const noted = (row) => [row.state, row.wanted];

function servicesTable() {
  return new Table([
    { key: "title", label: "Service", node: (row) => h("span", { title: row.help }, row.title) },
    { key: "state", label: "State", node: (row) => tag(row.state) },
    { key: "name", label: "", mark: noted, node: (row) => (row.pid ?
      [act("Stop", `/service ${row.name} stop`, { danger: true }), " ", act("Restart", `/service ${row.name} restart`)] :
      [act("Start", `/service ${row.name} start`)]) },
    { key: "cpu_pct", label: "CPU", num: true, text: (row) => (row.pid ? `${fmt.figure(row.cpu_pct, 1)}%` : "–") },
    { key: "rss_mb", label: "Memory", num: true, text: (row) => (row.pid ? fmt.mb(row.rss_mb) : "–") },
    { key: "up_s", label: "Up", num: true, text: (row) => (row.pid ? fmt.age(row.up_s) : "–") },
    { key: "error", label: "Trouble", wide: true, text: (row) => row.error, class: () => "down" },
  ], (row) => row.name, { name: "services" });
}

function accountsTable() {
  return new Table([
    { key: "name", label: "Account" }, { key: "mode", label: "Mode", node: (row) => tag(row.mode) },
    { key: "equity", label: "Equity", num: true, text: (row) => fmt.money(row.equity) },
    { key: "day", label: "Today", num: true, text: (row) => `${fmt.signed(row.day)} (${fmt.pct(row.day_pct)})`, class: (row) => sign(row.day) },
    { key: "exposure", label: "In positions", num: true, text: (row) => fmt.money(row.exposure) },
    { key: "trading", label: "Trading", mark: (row) => row.trading, node: (row) => tag(row.trading === "ACTIVE" ? "ready" : "stuck", row.trading) },
    { key: "latched", label: "Limits reached", wide: true, class: () => "down", text: (row) => [row.latched, row.trading === "ACTIVE" ? "" : row.why].filter(Boolean).join("; ") },
  ], (row) => `${row.mode} ${row.name}`, { empty: "No account is watched yet.", name: "accounts" });
}

function balanceTable() {
  return new Table([
    { key: "asset", label: "Coin" }, { key: "mode", label: "Mode", node: (row) => tag(row.mode) },
    { key: "total", label: "Amount", num: true, text: (row) => fmt.price(row.total) },
    { key: "locked", label: "In orders", num: true, text: (row) => (row.locked ? fmt.price(row.locked) : "–") },
    { key: "price", label: "Price", num: true, text: (row) => fmt.price(row.price) },
    { key: "usdt", label: "Worth USDT", num: true, text: (row) => fmt.money(row.usdt) },
    { key: "share_pct", label: "Share", num: true, text: (row) => (row.share_pct === null ? "–" : `${fmt.figure(row.share_pct, 1)}%`) },
  ], (row) => `${row.mode} ${row.asset}`, { empty: "No account is open yet; it begins with Start trading.", name: "balance" });
}

export function create() {
  const chart = new EquityChart();
  chart.node.dataset.none = "No trade yet: the curve begins with the first.";
  const equity = panel("Equity", "two", chart.node);
  const holdNote = h("span", { class: "note" });
  equity.node.querySelector("header").insertBefore(holdNote, equity.tools);
  const why = whyPanel();
  const held = positionsTable();
  const positions = panel("Positions", "", h("div", { class: "body" }, held.node));
  positions.tools.append(held.csvButton(), act("Sell all", "/sellall", { danger: true }));
  const money = accountsTable();
  const accounts = panel("Accounts", "two", h("div", { class: "body" }, money.node));
  accounts.tools.append(act("Risk", "/risk"), act("Pause", "/pause on", { danger: true }), act("Flatten", "/flatten", { danger: true }));
  const crew = servicesTable();
  const services = panel("Services", "two", h("div", { class: "body" }, crew.node));
  services.tools.append(act("Start trading", "/startbot"), act("Stop buying", "/stopbot"), act("Stop all", "/stopall", { danger: true }));
  const coins = balanceTable();
  const purse = panel("Balance", "", h("div", { class: "body" }, coins.node));
  purse.tools.append(coins.csvButton(), act("Ask the exchange", "/balance"));
  const said = h("ul", { class: "said" });
  const alerts = panel("Alerts", "third", h("div", { class: "body" }, said));
  const limitBody = h("div", { class: "body" });
  const limits = panel("Limits used", "third", limitBody);

  return {
    nodes: [equity.node, why.node, positions.node, accounts.node, limits.node, services.node, alerts.node, purse.node],
    close: () => chart.remove(),
    update(told) {
      if (told.equity) {
        chart.update(told.equity.points);
        const first = told.equity.points[0]?.[1];
        const now = told.equity.now;
        const change = first !== undefined && now !== null ? now - first : null;
        equity.note.className = `note ${sign(change)}`;
        setText(equity.note, `${told.equity.mode} · ${fmt.money(now)} USDT${change === null ? "" : ` (${fmt.signed(change)})`}`);
      }
      if (told.hold) {
        const end = told.hold.points.at(-1)?.[1];
        chart.beside(told.hold.points, "buy and hold BTC");
        setText(holdNote, end === undefined ? told.hold.problem && `buy and hold: ${told.hold.problem}` : `buy and hold ${told.hold.symbol.replace("USDT", "")}: ${fmt.money(end)}`);
      }
      if (told.accounts) money.update(told.accounts);
      if (told.positions) {
        held.update(told.positions);
        setText(positions.note, told.positions.length ? `${told.positions.length} open` : "");
      }
      if (told.balance) {
        coins.update(told.balance);
        const worth = (mode) => told.balance.filter((row) => row.mode === mode).reduce((sum, row) => sum + (row.usdt ?? 0), 0);
        setText(purse.note, ["LIVE", "TEST"].filter((mode) => told.balance.some((row) => row.mode === mode))
          .map((mode) => `spot, ${mode}: ${fmt.money(worth(mode))} USDT`).join(" · "));
      }
      if (told.services) crew.update(told.services);
      if (told.why) why.update(told.why);
      if (told.alerts) drawAlerts(said, told.alerts);
      if (told.limits) drawLimits(limitBody, told.limits);
    },
  };
}

function drawAlerts(list, alerts) {
  const at = list.scrollTop;
  list.replaceChildren(...(alerts.length ? alerts.map((one) => h("li", { class: one.loud ? "loud" : "" },
    h("time", { title: utc(one.ms) }, fmt.when(one.ms)), one.text)) : [h("li", { class: "dim" }, "Nothing was told yet.")]));
  list.scrollTop = at;
}

function drawLimits(body, limits) {
  body.replaceChildren(limits.length ? bars(limits.map((one) => ({
    name: one.name, value: one.share_pct, of: 100, share: one.share_pct,
    tone: one.latched || one.share_pct >= 100 ? "down" : one.share_pct >= 60 ? "warn" : "up",
    text: `${fmt.figure(one.value, one.unit ? 1 : 0)} of ${fmt.figure(one.limit, 0)}${one.unit}${one.latched ? " reached" : ""}`,
  }))) : h("p", { class: "empty" }, "No limits are known yet: the tracker has not run."));
}
