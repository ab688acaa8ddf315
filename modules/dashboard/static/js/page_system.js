// System: CPU, memory and latency of every process, the machine, the dashboard itself.

import { LineChart } from "./charts.js";
import { bars, figures, fmt, h, panel } from "./dom.js";
import { latencyTable, processTable } from "./rows.js";

export function create() {
  const machineBody = h("div", { class: "body" });
  const machine = panel("Machine", "half", machineBody);
  const ownBody = h("div", { class: "body" });
  const own = panel("Dashboard itself", "half", ownBody);
  const cpu = new LineChart({ "CPU %": { colour: "--accent" } });
  const memory = new LineChart({ "Memory MB": { colour: "--warn" } });
  const cpuPanel = panel("CPU of the crew, % of a core", "half", cpu.node);
  const memoryPanel = panel("Memory of the crew", "half", memory.node);
  const processes = processTable();
  const crew = panel("Processes", "", h("div", { class: "body" }, processes.node));
  const times = latencyTable();
  const latency = panel("Latency", "half", h("div", { class: "body" }, times.node));
  latency.tools.append(times.csvButton());
  const limitBody = h("div", { class: "body" });
  const limits = panel("Requests: weight used of each venue's limit", "half", limitBody);
  const spoolBody = h("div", { class: "body" });
  const spool = panel("Rows on their way to SQL", "half", spoolBody);
  return {
    nodes: [machine.node, own.node, cpuPanel.node, memoryPanel.node, crew.node, limits.node, spool.node, latency.node],
    close: () => {
      cpu.remove();
      memory.remove();
    },
    update(told) {
      if (told.machine) {
        const m = told.machine;
        machineBody.replaceChildren(figures([["CPU", fmt.share(m.cpu_pct)], ["cores", fmt.whole(m.cores)],
          ["load", fmt.figure(m.load)], ["memory used", `${fmt.share(m.memory_pct)} of ${fmt.mb(m.memory_mb)}`],
          ["disk free", fmt.mb(m.disk_free_mb), m.disk_free_mb < 500 ? "down" : ""]]));
      }
      if (told.own) {
        ownBody.replaceChildren(figures([["pages open", fmt.whole(told.own.clients)], ["memory", fmt.mb(told.own.rss_mb)],
          ["building pages", fmt.ms(told.own.build_ms)], ["failures", fmt.whole(told.own.failures), told.own.failures ? "down" : ""]]));
      }
      if (told.limits) drawLimits(limitBody, told.limits);
      if (told.spool) {
        spoolBody.replaceChildren(told.spool.length ? bars(told.spool.map((row) => ({ name: row.name, value: row.files,
          tone: row.files > 20 ? "warn" : "", text: `${row.files} files, ${row.kb} kB` }))) : h("p", { class: "empty" }, "Nothing waits."));
      }
      if (told.history) {
        const seconds = ([ms]) => Math.floor(ms / 1000);
        cpu.update({ "CPU %": told.history.map((row) => [seconds(row), row[1]]) });
        memory.update({ "Memory MB": told.history.map((row) => [seconds(row), row[2]]) });
      }
      if (told.processes) processes.update(told.processes);
      if (told.latency) times.update(told.latency);
    },
  };
}

const NAMES = { exchange: "spot", futures: "futures", bitget: "grid" };

function drawLimits(body, limits) {
  body.replaceChildren(limits.length ? bars(limits.map((one) => ({ name: NAMES[one.venue] ?? one.venue, value: one.share_pct, share: one.share_pct, of: 100,
    tone: one.share_pct >= 95 ? "down" : one.share_pct >= 60 ? "warn" : "up", text: `${fmt.whole(one.used)} of ${fmt.whole(one.limit)} in ${one.window_s}s` }))) :
    h("p", { class: "empty" }, "Nothing was asked yet."),
  ...limits.filter((one) => one.refusals || one.sheds || one.rest_s || one.banned_s).map((one) => h("p", { class: one.banned_s ? "down" : "dim" },
    `${NAMES[one.venue] ?? one.venue}: ${one.refusals} refused by the exchange, ${one.sheds} not sent${one.rest_s ? `, rests ${one.rest_s}s` : ""}${one.banned_s ? `, BLOCKED for ${one.banned_s}s` : ""}`)));
}
