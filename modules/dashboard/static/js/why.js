// Why a system does nothing: the headline, what stands in the way, what passed. The same on every page.

import { h, panel } from "./dom.js";

export function whyPanel(size = "third") {
  const body = h("div", { class: "body" });
  const box = panel("Why", size, body);
  return { node: box.node, update: (why) => drawWhy(body, why) };
}

export function drawWhy(body, why) {
  const line = (check) => h("li", { class: check.ok ? "" : "bad" }, check.text.startsWith(check.name) ? check.text : `${check.name}: ${check.text}`, check.todo && !check.ok ?
    h("div", { class: "dim" }, `→ ${check.todo}`) : null);
  const failed = why.checks.filter((check) => !check.ok);
  const passed = why.checks.filter((check) => check.ok);
  const open = body.querySelector("details")?.open ?? (innerWidth > 1100 && passed.length < 14);
  body.replaceChildren(h("b", {}, why.headline), h("ul", { class: "checks" }, failed.map(line)),
    h("details", { open }, h("summary", {}, `${passed.length} checks passed`), h("ul", { class: "checks" }, passed.map(line))));
}
