// Forms: what a person enters, and every error of it by name.

import { csrf, mayAct } from "./ask.js";
import { h } from "./dom.js";

export function field(label, input, hint = "") {
  const name = input.getAttribute("id");
  return h("div", { class: "field" }, h("label", { for: name }, label), input, hint ? h("small", { class: "dim" }, hint) : null);
}

export const select = (id, options, attributes = {}) => h("select", { id, ...attributes },
  options.map((option) => h("option", { value: option }, option)));

export function problems(rows, tone = "down") {
  return h("ul", { class: `problems ${tone}`, role: tone === "down" ? "alert" : "status" }, rows.map((row) => h("li", {}, row)));
}

// POST JSON; returns {ok, body, problems}: every error in words.
export async function post(path, body) {
  try {
    const reply = await fetch(path, { method: "POST", headers: { "content-type": "application/json", "x-csrf": csrf() },
      body: JSON.stringify(body) });
    if (reply.status === 401) location.assign("/login");
    const text = await reply.text();
    let read = null;
    try {
      read = JSON.parse(text);
    } catch {
      return { ok: false, body: null, problems: [text || `It was refused (${reply.status}).`] };
    }
    const said = (row) => (typeof row === "string" ? row : `${row.loc?.at(-1) ?? ""}: ${row.msg ?? JSON.stringify(row)}`);
    return { ok: reply.ok, body: read, problems: reply.ok ? [] : [read.problems ?? read.detail ?? [text]].flat().map(said) };
  } catch {
    return { ok: false, body: null, problems: ["The dashboard does not answer; whether this was done is not known. Look before you ask again."] };
  }
}

export const button = (label, onclick, tone = "") => h("button", { type: "button", class: `act ${tone}`.trim(), onclick,
  hidden: !mayAct(), disabled: !mayAct() }, label);
