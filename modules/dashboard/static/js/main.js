// The shell: who is here, which page, the theme, and the socket that brings what changes.

import { Bar } from "./bar.js";
import { ask, mayAct, setMe } from "./ask.js";
import { fmt, h } from "./dom.js";
import { flipZone, zone, zoneChoice, zoneName } from "./times.js";

const icons = {
  overview: "M3 13h8V3H3zm0 8h8v-6H3zm10 0h8V11h-8zm0-18v6h8V3z",
  hype: "M13 2L4 14h6l-1 8 9-12h-6z",
  signals: "M4 18a14 14 0 0 1 16 0M7 14a9 9 0 0 1 10 0M12 10h.01M12 20h.01",
  btc: "M8 4h6a4 4 0 0 1 0 8H8zm0 8h7a4 4 0 0 1 0 8H8zM8 4v16M5 4h3M5 20h3M11 2v2M11 20v2",
  grid: "M4 4h16v16H4zM4 9.3h16M4 14.6h16M9.3 4v16M14.6 4v16",
  scalper: "M6 3v4M6 15v6M4 7h4v8H4zM18 3v6M18 17v4M16 9h4v8h-4zM12 5v3M12 12v4M10 8h4v4h-4z",
  backtests: "M3 12a9 9 0 1 0 3-6.7M3 4v5h5M12 7v5l3 3",
  data: "M4 5c0-1.7 16-1.7 16 0v14c0 1.7-16 1.7-16 0zM4 5c0 1.7 16 1.7 16 0M4 12c0 1.7 16 1.7 16 0",
  reconciliation: "M12 3v18M5 7h14M5 7l-3 7h6zM19 7l-3 7h6zM8 21h8",
  logs: "M4 5h16M4 10h16M4 15h10M4 20h7",
  settings: "M4 6h10M18 6h2M4 12h2M10 12h10M4 18h8M16 18h4M14 4v4M6 10v4M12 16v4",
  system: "M4 4h16v12H4zM9 20h6M12 16v4M8 12l2-3 2 2 3-4",
};
const pages = [["overview", "Overview"], ["hype", "Hype"], ["signals", "Signals"], ["btc", "BTC"], ["grid", "Grid"],
  ["scalper", "Scalper"], ["backtests", "Backtests"], ["data", "Data"], ["reconciliation", "Reconcile"], ["logs", "Logs"], ["system", "System"],
  ["settings", "Settings"]];
const forOwners = ["settings"];
const mine = () => pages.filter(([name]) => mayAct() || !forOwners.includes(name));
const nav = document.getElementById("nav");
const place = document.getElementById("page");
const lost = document.getElementById("lost");
const barNode = document.getElementById("bar");
let socket = null;
let shown = null; // {name, page}
let bar = null;
let waitMs = 500;
let lastMs = Date.now();
let leaving = false;

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [name, value] of Object.entries({ d: path, fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linecap": "round", "stroke-linejoin": "round" })) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

function theme(wanted) {
  document.documentElement.dataset.theme = wanted;
  localStorage.setItem("theme", wanted);
  import("./charts.js").then((charts) => charts.restyleAll());
}

function drawNav() {
  nav.replaceChildren(...mine().map(([name, label]) => h("a", { href: `/${name}`, "data-page": name,
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      history.pushState(null, "", `/${name}`);
      open(name);
    } }, icon(icons[name]), label)));
}

async function open(name) {
  const made = await import(`./page_${name}.js`);
  shown?.page.close?.();
  place.replaceChildren();
  delete place.dataset.page;
  const page = made.create({ look: (told) => tell({ page: name, ...told }) });
  shown = { name, page };
  place.append(...page.nodes);
  for (const link of nav.children) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  tell({ page: name, ...(page.arguments?.() ?? {}) });
}

function tell(body) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(body));
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.onopen = () => {
    waitMs = 500;
    if (shown) tell({ page: shown.name, ...(shown.page.arguments?.() ?? {}) });
  };
  socket.onmessage = (event) => {
    lastMs = Date.now();
    lost.hidden = true;
    for (const part of JSON.parse(event.data)) take(part);
  };
  socket.onclose = async (event) => {
    if (leaving) return;
    lost.hidden = false;
    lost.textContent = event.code === 4429 ? "Too many pages are open; close some." :
      `Connection lost: what stands here is from ${fmt.when(lastMs)}. Trying again …`;
    if (event.code === 4401 || (await gone())) {
      location.assign("/login");
      return;
    }
    setTimeout(connect, waitMs);
    waitMs = Math.min(5000, waitMs * 2);
  };
}

async function gone() {
  try {
    return (await fetch("/api/me")).status === 401;
  } catch {
    return false;
  }
}

function take({ page, sections }) {
  if (page === "bar") {
    if (sections.bar) bar.update(sections.bar);
    return;
  }
  if (!shown || shown.name !== page) return;
  if ("error" in sections) trouble(sections.error);
  shown.page.update(sections);
  place.dataset.page = page; // its figures are there
}

function trouble(words) {
  let node = document.getElementById("trouble");
  if (!words) {
    node?.remove();
    return;
  }
  if (!node) {
    node = h("section", { id: "trouble", class: "panel", role: "alert" });
    place.prepend(node);
  }
  node.replaceChildren(h("p", { class: "empty down" }, words));
}

async function leave(me) {
  leaving = true;
  await fetch("/logout", { method: "POST", headers: { "x-csrf": me.csrf } });
  location.assign("/login");
}

function nameZone(clock) {
  clock.textContent = zone();
  clock.title = `Times are ${zoneName()}; press for ${zoneName() === "UTC" ? "your own zone" : "UTC"}`;
}

function commandLine() {
  const line = prompt("Command, as in Telegram (for example /why PEPE)", "/");
  if (line && line.trim() !== "/") ask({ line });
}

async function start() {
  const saved = localStorage.getItem("theme");
  document.documentElement.dataset.theme = saved ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  const reply = await fetch("/api/me");
  if (!reply.ok) {
    location.assign("/login");
    return;
  }
  const me = await reply.json();
  setMe(me);
  const flip = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const clock = h("button", { type: "button", class: "act", hidden: !zoneChoice(), onclick: () => {
    flipZone();
    nameZone(clock);
    import("./charts.js").then((charts) => charts.restyleAll());
    open(shown.name);
  } });
  nameZone(clock);
  const end = h("span", { class: "end" },
    mayAct() ? h("button", { type: "button", class: "act", title: "Run a command", onclick: commandLine }, "/ command") :
      h("span", { class: "chip" }, "read only"),
    clock, h("button", { type: "button", class: "act", title: "Dark or light", "aria-label": "Dark or light", onclick: flip }, "◐"),
    h("button", { type: "button", class: "act", title: `Log out (${me.who})`, onclick: () => leave(me) }, "Log out"));
  bar = new Bar(barNode, end);
  barNode.append(end);
  drawNav();
  connect();
  const named = () => mine().map(([name]) => name).find((name) => location.pathname === `/${name}`) ?? "overview";
  addEventListener("popstate", () => open(named()));
  await open(named());
}

start();
