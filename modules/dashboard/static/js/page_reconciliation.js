// Reconciliation: venue against ledger, invariants, findings, gaps; spot, futures and grids.

import { act } from "./ask.js";
import { fmt, h, panel, setText, tag } from "./dom.js";
import { moment, Table } from "./table.js";
import { whyPanel } from "./why.js";

const mark = (ok) => (ok === true ? h("span", { class: "up" }, "✓ holds") : ok === false ? h("span", { class: "down" }, "✗ broken") : h("span", { class: "warn" }, "? no answer"));
const price = (key, label) => ({ key, label, num: true, text: (row) => fmt.price(row[key]) });

export function create() {
  const tables = { accounts: accountsTable(), rows: rowsTable(), checks: checksTable(), findings: findingsTable(), gaps: gapsTable() };
  const why = whyPanel();
  const accounts = panel("Accounts and their last check", "two", h("div", { class: "body" }, tables.accounts.node));
  accounts.tools.append(act("In words", "/reconcile"), act("Resync", "/resync", { danger: true }));
  const findings = panel("What disagrees", "", h("div", { class: "body" }, tables.findings.node));
  const rows = panel("Exchange against our books", "", h("div", { class: "body" }, tables.rows.node));
  rows.tools.append(tables.rows.csvButton());
  const checks = panel("Invariants", "", h("div", { class: "body" }, tables.checks.node));
  checks.tools.append(tables.checks.csvButton());
  const gaps = panel("Gaps in data and guard", "half", h("div", { class: "body" }, tables.gaps.node));
  return {
    nodes: [accounts.node, why.node, findings.node, rows.node, checks.node, gaps.node],
    update(told) {
      for (const name of Object.keys(tables)) if (told[name]) tables[name].update(told[name]);
      if (told.why) why.update(told.why);
      if (told.findings) findings.node.hidden = !told.findings.length;
      if (told.checks) {
        const bad = told.checks.filter((row) => row.ok === false).length;
        setText(checks.note, told.checks.length ? `${told.checks.length - bad} of ${told.checks.length} hold` : "");
      }
    },
  };
}

function accountsTable() {
  return new Table([
    { key: "name", label: "Account" },
    { key: "clean", label: "Verdict", mark: (row) => [row.clean, row.problem, row.broken], node: (row) => (row.problem ? tag("stuck", "cannot be read") : row.clean ? tag("ready", "agrees") :
      row.broken ? tag("stuck", `${row.broken} broken`) : tag("starting", "being checked")) },
    moment("at_ms", "Last check"),
    { key: "age_s", label: "Ago (market time)", num: true, text: (row) => (row.at_ms ? fmt.age(row.age_s) : "–"), class: (row) => (row.late ? "down" : "") },
    { key: "running", label: "Keeper", text: (row) => (row.running ? "runs" : "stopped"), class: (row) => (row.running ? "" : "warn") },
    { key: "unresolved", label: "Open ends", num: true, class: (row) => (row.unresolved ? "down" : "") },
    { key: "problem", label: "Trouble", wide: true, class: () => "down" },
  ], (row) => row.name, { empty: "No account was compared yet. The keepers do it while they run.", name: "accounts" });
}

function rowsTable() {
  return new Table([
    { key: "account", label: "Account" }, { key: "what", label: "Coin or leg" },
    { key: "venue", label: "Exchange", num: true, text: (row) => fmt.text(row.venue), sort: (row) => Number(row.venue) },
    { key: "ours", label: "Our books", num: true, sort: (row) => Number(row.ours) },
    { key: "external", label: "Yours or another's", num: true, text: (row) => fmt.text(row.external) },
    { key: "gap", label: "Gap", num: true, text: (row) => (row.gap === null ? "not read" : row.gap === 0 ? "0" : fmt.price(row.gap)),
      class: (row) => (row.gap ? "down" : row.gap === null ? "warn" : "") },
    price("venue_average", "Exchange's average"), price("ours_average", "Our average"), price("stop", "Stop"),
    { key: "note", label: "Note", wide: true, text: (row) => row.note ?? "" },
  ], (row) => `${row.account} ${row.what}`, { empty: "Nothing is held, or nothing was compared yet.", name: "reconciliation" });
}

function checksTable() {
  const figure = (value, row) => (value === null ? "–" : `${fmt.price(value)}${row.unit ? ` ${row.unit}` : ""}`);
  return new Table([
    { key: "account", label: "Account" }, { key: "meaning", label: "Must hold" }, { key: "subject", label: "Of" },
    { key: "ok", label: "", node: (row) => mark(row.ok) },
    { key: "value", label: "Off by", num: true, text: (row) => (row.rule === "protected" ? (row.value ? `${fmt.whole(row.value)} ms` : "0") : figure(row.value, row)) },
    { key: "tolerance", label: "Allowed", num: true, text: (row) => (row.rule === "protected" ? `${fmt.whole(row.tolerance)} ms` : figure(row.tolerance, row)) },
    moment("held_ms", "Last held", (row) => (row.held_ms ? fmt.time(row.held_ms) : "never yet")),
    { key: "note", label: "Note", wide: true },
  ], (row) => `${row.account} ${row.rule} ${row.subject}`, { empty: "Nothing was checked yet.", name: "invariants" });
}

function findingsTable() {
  return new Table([
    { key: "account", label: "Account" }, { key: "text", label: "What", wide: true },
    { key: "confirmed", label: "Sure", text: (row) => (row.confirmed ? "seen twice" : "being checked") },
    { key: "stops", label: "Entries", text: (row) => (row.stops ? "stopped" : "go on"), class: (row) => (row.stops ? "down" : "") },
    { key: "todo", label: "What to do", wide: true },
  ], (row) => `${row.account} ${row.text}`, { empty: "Nothing.", name: "findings" });
}

function gapsTable() {
  return new Table([
    { key: "service", label: "Service" }, { key: "what", label: "What", wide: true },
    { key: "value", label: "", num: true, text: (row) => fmt.whole(row.value), class: (row) => (row.bad ? "down" : "") },
  ], (row) => `${row.service} ${row.what}`, { empty: "No service runs that tells of any.", name: "gaps" });
}
