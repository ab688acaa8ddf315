// Logs: one process at a time, filtered, followed.

import { fmt, h, panel, setText } from "./dom.js";
import { zone } from "./times.js";

export function create({ look }) {
  const wanted = { service: "bot", level: "INFO", words: "" };
  const service = h("select", { "aria-label": "Process" }, h("option", {}, "bot"));
  const level = h("select", { "aria-label": "Lowest level" }, ["INFO", "WARNING", "ERROR"].map((word) => h("option", {}, word)));
  const words = h("input", { type: "search", placeholder: "Words", "aria-label": "Words", maxlength: 80 });
  const follow = h("input", { type: "checkbox", checked: true, id: "follow" });
  const lines = h("pre", { class: "log", tabindex: "0", "aria-label": "Log" });
  const box = panel("Logs", "", h("div", { class: "body" },
    h("div", { class: "controls" }, service, level, words, h("label", { for: "follow" }, follow, " follow")), lines));
  let timer = 0;
  const changed = () => {
    Object.assign(wanted, { service: service.value, level: level.value, words: words.value.trim() });
    look(wanted);
  };
  service.addEventListener("change", changed);
  level.addEventListener("change", changed);
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(changed, 300);
  });
  return {
    nodes: [box.node],
    arguments: () => wanted,
    update(told) {
      if (told.names && service.children.length !== told.names.length) {
        service.replaceChildren(...told.names.map((name) => h("option", {}, name)));
        service.value = wanted.service;
      }
      if (!told.lines) return;
      setText(box.note, told.lines.rows.length ? `${told.lines.rows.length} lines of ${told.lines.service} · times in ${zone()}` : "");
      const at = lines.scrollTop;
      lines.replaceChildren(...(told.lines.rows.length ? told.lines.rows.flatMap(([time, word, text]) => [
        time ? h("time", { title: time }, `${fmt.time(Date.parse(time))} `) : "", h("span", { class: word }, text), "\n",
      ]) : ["Nothing that passes the filter."]));
      lines.scrollTop = follow.checked ? lines.scrollHeight : at;
    },
  };
}
