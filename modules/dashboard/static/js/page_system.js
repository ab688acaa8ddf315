// System: CPU, memory and latency of every process, the machine, the dashboard itself.

import { LineChart } from "./charts.js";
import { figures, fmt, h, panel } from "./dom.js";
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
  return {
    nodes: [machine.node, own.node, cpuPanel.node, memoryPanel.node, crew.node, latency.node],
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
