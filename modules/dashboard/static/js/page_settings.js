// Settings: every one with its value in use, default, where it comes from and what it means; secrets are never sent here.

import { fmt, h, panel, setText, tag } from "./dom.js";
import { Table } from "./table.js";

export function create() {
  let all = [];
  const words = h("input", { type: "search", placeholder: "name, meaning or value", "aria-label": "Search", oninput: () => draw() });
  const group = h("select", { "aria-label": "Group", onchange: () => draw() }, h("option", { value: "" }, "all groups"));
  const changed = h("input", { type: "checkbox", id: "only-changed", onchange: () => draw() });
  const table = new Table([
    { key: "name", label: "Setting", wide: true },
    { key: "value", label: "Value", wide: true, mark: (row) => [row.value, row.changed], node: (row) => (row.changed ? tag("ready", fmt.text(row.value)) : fmt.text(row.value)) },
    { key: "default", label: "Default", wide: true }, { key: "what", label: "What it is", wide: true },
    { key: "source", label: "From", text: (row) => row.source || "default" }, { key: "env", label: "In .env" },
  ], (row) => row.name, { empty: "No setting is like that.", name: "settings" });
  const box = panel("Settings in use", "", h("div", { class: "body" },
    h("div", { class: "controls" }, words, group, h("label", { for: "only-changed" }, changed, " only those that differ from the default")),
    table.node, h("p", { class: "dim" }, "Change them in config/config.local.yaml or .env; services take them at their next start (/restartbot). Secrets are only said to be set.")));
  box.tools.append(table.csvButton());
  return {
    nodes: [box.node],
    close: () => {},
    update(told) {
      if (told.since_ms) setText(box.note, `as read ${fmt.when(told.since_ms)}`);
      if (!told.settings) return;
      all = told.settings;
      const names = [...new Set(all.map((row) => row.group))];
      group.replaceChildren(h("option", { value: "" }, "all groups"), ...names.map((name) => h("option", { value: name }, name)));
      draw();
    },
  };

  function draw() {
    const sought = words.value.trim().toLowerCase();
    table.update(all.filter((row) => (!group.value || row.group === group.value) && (!changed.checked || row.changed) &&
      (!sought || `${row.name} ${row.env} ${row.what} ${row.value}`.toLowerCase().includes(sought))));
  }
}
