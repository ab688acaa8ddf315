// Signals (D11): live ones by priority, performance beside the control group, quality, universe, load and latency.

import { act } from "./ask.js";
import { LineChart, QualityChart } from "./charts.js";
import { bars, figures, fmt, h, panel, setText, sign, tag } from "./dom.js";
import { latencyTable, processTable } from "./rows.js";
import { moment, Table } from "./table.js";
import { whyPanel } from "./why.js";

const price = (key, label) => ({ key, label, num: true, text: (row) => fmt.price(row[key]) });

function openR(row) { // what it would give now, in units of the risk, before fees
  const risk = Math.abs(row.entry - row.stop_loss);
  if (!row.last_price || !risk) return null;
  return ((row.direction === "LONG" ? 1 : -1) * (row.last_price - row.entry)) / risk;
}

function signalColumns(extra) {
  return [
    { key: "symbol", label: "Symbol" },
    { key: "priority", label: "Class", node: (row) => tag(row.priority), sort: (row) => ["LOW", "MEDIUM", "HIGH"].indexOf(row.priority) },
    { key: "direction", label: "Side", node: (row) => tag(row.direction) },
    { key: "quality", label: "Quality", num: true, text: (row) => fmt.whole(row.quality) },
    ...extra,
    price("entry", "Entry"), price("stop_loss", "Stop"), price("tp1", "TP1"), price("tp2", "TP2"),
    { key: "imbalance", label: "Imbalance", num: true, text: (row) => fmt.figure(row.imbalance) },
    { key: "intensity", label: "Intensity", num: true, text: (row) => fmt.figure(row.intensity) },
    { key: "large_trades", label: "Large", num: true, text: (row) => fmt.whole(row.large_trades) },
    moment("ms", "Since"),
  ];
}

function resultTable(label, name) {
  return new Table([
    { key: "name", label, text: (row) => row.name },
    { key: "n", label: "n", num: true, text: (row) => fmt.whole(row.n) },
    { key: "win_pct", label: "Won [95 %]", num: true,
      text: (row) => `${fmt.share(row.win_pct)} [${fmt.share(row.win_low)}, ${fmt.share(row.win_high)}]` },
    { key: "mean_r", label: "Mean net [95 %]", num: true, class: (row) => sign(row.mean_r),
      text: (row) => (row.n ? `${fmt.r(row.mean_r)} [${fmt.figure(row.mean_low)}, ${fmt.figure(row.mean_high)}]` : "–") },
    { key: "net_r", label: "Sum", num: true, text: (row) => fmt.r(row.net_r), class: (row) => sign(row.net_r) },
    { key: "control", label: "Control", num: true, sort: (row) => row.control?.mean_r,
      text: (row) => (row.control ? fmt.r(row.control.mean_r) : "–") },
  ], (row) => row.name, { empty: "No signal has ended yet.", name });
}

function universeTable() {
  return new Table([
    { key: "symbol", label: "Symbol" },
    { key: "score", label: "Score", num: true, text: (row) => fmt.figure(row.score, 1) },
    { key: "figures", label: "Figures", wide: true, text: (row) => Object.entries(row.figures)
      .filter(([name]) => !["symbol", "reason", "score"].includes(name))
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? fmt.price(Number(value.toPrecision(4))) : fmt.yes(value)}`).join(" · ") },
  ], (row) => row.symbol, { empty: "Nothing is chosen yet.", name: "universe" });
}

export function create() {
  const counts = h("div", { class: "body" });
  const day = panel("Signals today", "two", counts);
  day.tools.append(act("Start", "/startsignals"), act("Stop", "/stopsignals", { danger: true }));
  const why = whyPanel();
  const refusedBody = h("div", { class: "body" });
  const refused = panel("Refused, by reason", "half", refusedBody);
  const funnelBody = h("div", { class: "body" });
  const funnel = panel("Universe", "half", funnelBody);
  const live = new Table(signalColumns([{ key: "last_price", label: "Now", num: true, sort: openR,
    text: (row) => fmt.r(openR(row)), class: (row) => sign(openR(row)) }]), (row) => row.id,
  { empty: "No live signal.", name: "signals" });
  const open = panel("Live signals", "", h("div", { class: "body" }, live.node));
  open.tools.append(live.csvButton());
  const chart = new QualityChart();
  const quality = panel("Quality", "two", chart.node);
  setText(quality.note, "each bar a signal · green won, red lost, grey open");
  const byClass = resultTable("Class", "classes");
  const classes = panel("By class", "half", h("div", { class: "body" }, byClass.node));
  const bySymbol = resultTable("Symbol", "symbols");
  const symbols = panel("By symbol", "half", h("div", { class: "body" }, bySymbol.node));
  symbols.tools.append(bySymbol.csvButton());
  const ended = new Table(signalColumns([
    { key: "outcome", label: "End" },
    { key: "net_r", label: "Net", num: true, text: (row) => fmt.r(row.net_r), class: (row) => sign(row.net_r) },
  ]), (row) => row.id, { empty: "No signal has ended yet.", name: "ended-signals" });
  const closed = panel("Ended signals", "", h("div", { class: "body" }, ended.node));
  closed.tools.append(ended.csvButton());
  const picked = universeTable();
  const chosen = panel("Chosen symbols", "half", h("div", { class: "body" }, picked.node));
  const hourBody = h("div", { class: "body" });
  const hours = panel("By hour (UTC)", "third", hourBody);
  const load = new LineChart({ "CPU %": { colour: "--accent" }, "Memory MB": { colour: "--warn", left: true } });
  const machine = panel("CPU and memory of the crew", "half", load.node);
  const processes = processTable();
  const own = panel("Processes", "", h("div", { class: "body" }, processes.node));
  const times = latencyTable();
  const latency = panel("Latency", "half", h("div", { class: "body" }, times.node));
  const problem = panel("No figures", "", h("p", { class: "empty" }));
  problem.node.hidden = true;
  let metricRows = [];
  let latencyRows = [];
  return {
    nodes: [problem.node, day.node, why.node, refused.node, funnel.node, open.node, quality.node, hours.node, classes.node, symbols.node,
      closed.node, chosen.node, machine.node, own.node, latency.node],
    close: () => {
      chart.remove();
      load.remove();
    },
    update(told) {
      if ("problem" in told) {
        problem.node.hidden = !told.problem;
        setText(problem.node.querySelector("p"), told.problem);
      }
      if (told.why) why.update(told.why);
      if (told.today) {
        const { counts: by, day_ms: at } = told.today;
        setText(day.note, at ? `${fmt.utcDay(at)} (UTC day)` : "");
        counts.replaceChildren(figures(Object.entries(by).map(([name, value]) => [name, fmt.whole(value)])));
      }
      if (told.refusals) {
        refusedBody.replaceChildren(told.refusals.length ? bars(told.refusals.map(([name, value]) => ({ name, value }))) :
          h("p", { class: "empty" }, "Nothing was refused in the last day."));
      }
      if (told.universe) drawUniverse(funnelBody, funnel.note, picked, chosen.note, told.universe);
      if (told.open) {
        live.update(told.open);
        setText(open.note, told.open.length ? `${told.open.length}` : "");
      }
      if (told.quality) chart.update(told.quality);
      if (told.classes) byClass.update(told.classes);
      if (told.symbols) bySymbol.update(told.symbols);
      if (told.closed) ended.update(told.closed);
      if (told.hours) {
        hourBody.replaceChildren(told.hours.length ? bars(told.hours.map((row) => ({ name: `${String(row.hour).padStart(2, "0")}:00`,
          value: Math.abs(row.net_r), tone: row.net_r >= 0 ? "up" : "down", text: `${fmt.r(row.net_r)} (n ${row.n})` }))) :
          h("p", { class: "empty" }, "No signal has ended yet."));
      }
      if (told.history) {
        load.update({ "CPU %": told.history.map(([ms, cpu]) => [Math.floor(ms / 1000), cpu]),
          "Memory MB": told.history.map(([ms, , mb]) => [Math.floor(ms / 1000), mb]) });
      }
      if (told.processes) processes.update(told.processes);
      if (told.metrics) {
        metricRows = Object.entries(told.metrics).filter(([name, points]) => points.length && name.endsWith("_ms"))
          .map(([name, points]) => ({ service: "Signals", name: name.replaceAll("_", " "), ms: points[points.length - 1][1] }));
      }
      if (told.latency) latencyRows = told.latency;
      if (told.latency || told.metrics) times.update([...latencyRows, ...metricRows]);
    },
  };
}

function drawUniverse(body, note, picked, chosenNote, universe) {
  setText(note, universe.ms ? `scanned ${fmt.when(universe.ms)}` : "");
  setText(chosenNote, universe.chosen.length ? `${universe.chosen.length}` : "");
  picked.update(universe.chosen);
  let left = universe.seen;
  const steps = [{ name: "listed", value: left }];
  for (const [reason, many] of universe.funnel) {
    left -= many;
    steps.push({ name: `after ${reason.replaceAll("_", " ").toLowerCase()}`, value: left, text: `${left} (−${many})` });
  }
  body.replaceChildren(universe.seen ? bars(steps) : h("p", { class: "empty" }, "The universe has not been scanned yet."));
}
