// Overview: equity, what is held, the crew with start and stop, alerts, why nothing is bought.

import { act } from "./ask.js";
import { EquityChart } from "./charts.js";
import { bars, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { positionsTable } from "./rows.js";
import { Table } from "./table.js";

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

export function create() {
  const chart = new EquityChart();
  const equity = panel("Equity", "two", chart.node);
  const whyBody = h("div", { class: "body" });
  const why = panel("Why", "third", whyBody);
  const held = positionsTable();
  const positions = panel("Positions", "", h("div", { class: "body" }, held.node));
  positions.tools.append(held.csvButton(), act("Sell all", "/sellall", { danger: true }));
  const crew = servicesTable();
  const services = panel("Services", "two", h("div", { class: "body" }, crew.node));
  services.tools.append(act("Start trading", "/startbot"), act("Stop buying", "/stopbot"), act("Stop all", "/stopall", { danger: true }));
  const said = h("ul", { class: "said" });
  const alerts = panel("Alerts", "", h("div", { class: "body" }, said));
  const limitBody = h("div", { class: "body" });
  const limits = panel("Limits used", "third", limitBody);

  return {
    nodes: [equity.node, why.node, positions.node, services.node, limits.node, alerts.node],
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
      if (told.positions) {
        held.update(told.positions);
        setText(positions.note, told.positions.length ? `${told.positions.length} open` : "");
      }
      if (told.services) crew.update(told.services);
      if (told.why) drawWhy(whyBody, told.why);
      if (told.alerts) drawAlerts(said, told.alerts);
      if (told.limits) drawLimits(limitBody, told.limits);
    },
  };
}

export function drawWhy(body, why) {
  const line = (check) => h("li", { class: check.ok ? "" : "bad" }, `${check.name}: ${check.text}`, check.todo && !check.ok ?
    h("div", { class: "dim" }, `→ ${check.todo}`) : null);
  const failed = why.checks.filter((check) => !check.ok);
  const passed = why.checks.filter((check) => check.ok);
  const open = body.querySelector("details")?.open ?? innerWidth > 1100;
  body.replaceChildren(h("b", {}, why.headline), h("ul", { class: "checks" }, failed.map(line)),
    h("details", { open }, h("summary", {}, `${passed.length} checks passed`), h("ul", { class: "checks" }, passed.map(line))));
}

function drawAlerts(list, alerts) {
  const at = list.scrollTop;
  list.replaceChildren(...(alerts.length ? alerts.map((one) => h("li", { class: one.loud ? "loud" : "" },
    h("time", {}, fmt.time(one.ms)), one.text)) : [h("li", { class: "dim" }, "Nothing was told yet.")]));
  list.scrollTop = at;
}

function drawLimits(body, limits) {
  body.replaceChildren(limits.length ? bars(limits.map((one) => ({
    name: one.name, value: one.share_pct, of: 100, share: one.share_pct,
    tone: one.latched || one.share_pct >= 100 ? "down" : one.share_pct >= 60 ? "warn" : "up",
    text: `${fmt.figure(one.value, one.unit ? 1 : 0)} of ${fmt.figure(one.limit, 0)}${one.unit}${one.latched ? " reached" : ""}`,
  }))) : h("p", { class: "empty" }, "No limits are known yet: the tracker has not run."));
}
