// Nodes and words: everything on a page is made here, from text only; nothing a server says becomes markup.

import { shortTime, utc, zone } from "./times.js";

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function panel(title, size, ...children) {
  const note = h("span", { class: "note" });
  const tools = h("span", { class: "tools" });
  const node = h("section", { class: `panel ${size}` }, h("header", {}, h("h2", {}, title), note, tools), ...children);
  return { node, note, tools };
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const none = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

export const fmt = {
  text: (value) => (value === null || value === undefined || value === "" ? none : String(value)),
  whole: (value) => (known(value) ? Math.round(value).toLocaleString("en") : none),
  figure: (value, digits = 2) => (known(value) ? minus(value.toFixed(digits)) : none),
  signedFigure: (value, digits = 2) => (known(value) ? (value > 0 ? "+" : "") + minus(value.toFixed(digits)) : none),
  money: (value) => (known(value) ? minus(cents(value).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })) : none),
  signed: (value) => (known(value) ? (cents(value) > 0 ? "+" : "") + fmt.money(value) : none),
  pct: (value) => (known(value) ? (value > 0 ? "+" : "") + minus(value.toFixed(2)) + "%" : none),
  share: (value) => (known(value) ? value.toFixed(0) + "%" : none),
  r: (value) => (known(value) ? (value > 0 ? "+" : "") + minus(value.toFixed(2)) + " R" : none),
  price: (value) => {
    if (!known(value)) return none;
    if (value === 0) return "0";
    const places = Math.max(0, Math.min(12, 5 - Math.floor(Math.log10(Math.abs(value)))));
    return value.toLocaleString("en", { maximumFractionDigits: places });
  },
  yes: (value) => (value === true ? "yes" : value === false ? "no" : fmt.text(value)),
  ms: (value) => (known(value) ? (value >= 10 ? value.toFixed(0) : value.toFixed(2)) + " ms" : none),
  mb: (value) => (known(value) ? Math.round(value).toLocaleString("en") + " MB" : none),
  time: (ms) => (ms ? shortTime(ms) : none),
  when: (ms) => (ms ? `${shortTime(ms)} ${zone()}` : none),
  utcDay: (ms) => (ms ? utc(ms).slice(5, 10) : none),
  age: (seconds) => {
    if (!known(seconds)) return none;
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s}s`;
    if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
    if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
    return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
  },
};

// No "−0.00".
function cents(value) {
  return Math.abs(value) < 0.005 ? 0 : value;
}

function minus(text) {
  return text.replace("-", "−");
}

export const sign = (value) => (known(value) && value !== 0 ? (value > 0 ? "up" : "down") : "");
export const tag = (tone, word = tone) => h("span", { class: `tag ${tone}` }, word);

// Bars with a word before and a figure after: funnels, limits, counts.
export function bars(rows) {
  const most = Math.max(1e-9, ...rows.map((row) => row.share ?? row.value));
  return h("div", { class: "bars" }, rows.map((row) => {
    const inner = h("div", { class: row.tone ?? "" });
    inner.style.width = `${Math.max(0, Math.min(100, (100 * (row.share ?? row.value)) / (row.of ?? most)))}%`;
    return [h("span", {}, row.name), h("div", { class: "track" }, inner), h("span", {}, row.text ?? fmt.whole(row.value))];
  }).flat());
}

export function figures(pairs) {
  return h("div", { class: "figures" }, pairs.map(([name, value, tone]) =>
    h("div", {}, h("span", {}, name), h("b", { class: tone ?? "" }, value))));
}

// The few tags of an answer to a command (b, i, code, pre); any other tag stays text.
export function answer(html) {
  const box = h("div");
  const read = new DOMParser().parseFromString(html, "text/html");
  const copy = (from, to) => {
    for (const child of from.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) to.append(child.textContent);
      else if (["B", "I", "U", "S", "CODE", "PRE"].includes(child.tagName)) {
        const made = document.createElement(child.tagName);
        copy(child, made);
        to.append(made);
      } else copy(child, to);
    }
  };
  copy(read.body, box);
  return box;
}
