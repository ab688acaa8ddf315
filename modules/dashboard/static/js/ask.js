// Wishes: a command line goes to the same router as in Telegram; its answer, and its confirmation, stand in a dialog.

import { answer, h } from "./dom.js";

let me = null;

export function setMe(found) {
  me = found;
}

export const mayAct = () => me?.role === "owner";
export const csrf = () => me?.csrf ?? "";

export function act(label, line, { danger = false, title = "" } = {}) {
  return h("button", { type: "button", class: danger ? "act danger" : "act", title: title || line, hidden: !mayAct(),
    disabled: !mayAct(), onclick: () => ask({ line }) }, label);
}

async function send(body, quiet) {
  let reply = await fetch("/api/ask", {
    method: "POST", headers: { "content-type": "application/json", "x-csrf": me.csrf }, body: JSON.stringify(body),
  });
  for (let turn = 0; reply.status === 202 && turn < (quiet ? 500 : 15); turn += 1) {
    const { question } = await reply.json();
    if (!quiet) show(h("p", {}, "Still at it …"), []);
    reply = await fetch(`/api/answer/${question}`);
  }
  return reply;
}

// quiet: long work, whose progress stands on the page; only its answer opens the dialog.
export async function ask(body, { quiet = false } = {}) {
  if (!quiet) show(h("p", {}, `${body.line ?? "…"}`), []);
  try {
    const reply = await send(body, quiet);
    if (reply.status === 200) {
      const told = await reply.json();
      show(answer(told.text), told.buttons);
    } else if (reply.status === 202) {
      show(h("p", {}, "No answer from the command process. Does bot.py run? A wish that moves money is not carried out late."), []);
    } else if (reply.status === 401) {
      location.assign("/login");
    } else {
      show(h("p", {}, await reply.text()), []);
    }
  } catch {
    show(h("p", {}, "The dashboard does not answer; whether this was done is not known. Look before you ask again."), []);
  }
}

function show(content, buttons) {
  const talk = document.getElementById("talk");
  const rows = buttons.flat().map((button) => h("button", { type: "button", class: button.data.startsWith("yes:") ?
    "act yes" : "act", onclick: () => ask({ press: button.data }) }, button.label));
  const close = h("button", { type: "button", class: "act", onclick: () => talk.close() }, "Close");
  talk.replaceChildren(content, h("div", { class: "row" }, rows, rows.length ? null : close));
  if (!talk.open) talk.showModal();
}
