// A table that sorts by a click, keeps its rows while figures change, and goes out as CSV.

import { fmt, h, setText } from "./dom.js";
import { utc, zone } from "./times.js";

// columns: {key, label, text(row), class(row), num, sort(row), node(row)}; id(row) names a row.
// A column of times: in the reader's zone, which its head names; UTC in the title and in the CSV.
export function moment(key, label, text = (row) => fmt.time(row[key])) {
  return { key, label: `${label} (${zone()})`, saved: `${label} (UTC)`, at: (row) => (row[key] ? utc(row[key]) : ""), text };
}

export class Table {
  constructor(columns, id, { empty = "Nothing yet.", name = "table" } = {}) {
    this.columns = columns;
    this.id = id;
    this.name = name;
    this.rows = [];
    this.lines = new Map();
    this.order = null;
    this.heads = columns.map((column, place) => h("th", { scope: "col", class: column.num ? "num" : "" },
      column.label ? h("button", { type: "button", onclick: () => this.sortBy(place) }, column.label) : ""));
    this.body = h("tbody");
    this.none = empty;
    this.empty = h("p", { class: "empty" }, "…"); // "none" is said only once it is known
    this.scroll = h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, this.heads)), this.body));
    this.node = h("div", {}, this.scroll, this.empty);
    this.scroll.hidden = true;
  }

  csvButton() {
    return h("button", { type: "button", class: "act", title: "Save as CSV", onclick: () => this.save() }, "CSV");
  }

  sortBy(place) {
    const down = this.order?.place === place ? !this.order.down : Boolean(this.columns[place].num);
    this.order = { place, down };
    this.heads.forEach((head, at) => {
      if (at === place) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.update(this.rows);
  }

  value(column, row) {
    return column.sort ? column.sort(row) : row[column.key];
  }

  update(rows) {
    this.rows = rows;
    setText(this.empty, this.none);
    this.empty.hidden = rows.length > 0;
    this.scroll.hidden = rows.length === 0;
    let shown = rows;
    if (this.order) {
      const column = this.columns[this.order.place];
      const way = this.order.down ? -1 : 1;
      shown = [...rows].sort((a, b) => way * compare(this.value(column, a), this.value(column, b)));
    }
    const before = this.lines;
    this.lines = new Map();
    shown.forEach((row, place) => {
      const key = String(this.id(row));
      const line = before.get(key) ?? this.line();
      before.delete(key);
      this.lines.set(key, line);
      this.fill(line, row);
      if (this.body.children[place] !== line.node) this.body.insertBefore(line.node, this.body.children[place] ?? null);
    });
    for (const gone of before.values()) gone.node.remove();
  }

  line() {
    const cells = this.columns.map(() => h("td"));
    return { node: h("tr", {}, cells), cells, marks: [] };
  }

  fill(line, row) {
    this.columns.forEach((column, place) => {
      const cell = line.cells[place];
      const tone = `${column.num ? "num " : ""}${column.wide ? "wide " : ""}${column.class ? column.class(row) : ""}`.trim();
      if (cell.className !== tone) cell.className = tone;
      if (!column.node) {
        setText(cell, column.text ? column.text(row) : fmt.text(row[column.key]));
        if (column.at && cell.title !== column.at(row)) cell.title = column.at(row);
        return;
      }
      const mark = JSON.stringify(column.mark ? column.mark(row) : row[column.key]);
      if (line.marks[place] !== mark) { // a button under a finger is not made anew twice a second
        line.marks[place] = mark;
        cell.replaceChildren(...[column.node(row)].flat());
      }
    });
  }

  save() {
    const columns = this.columns.filter((column) => column.label);
    const lines = [columns.map((column) => column.saved ?? column.label), ...this.rows.map((row) =>
      columns.map((column) => column.at?.(row) ?? this.value(column, row) ?? ""))];
    const text = lines.map((line) => line.map(quoted).join(",")).join("\r\n");
    const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${this.name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

// A field that a spreadsheet would take for a formula gets an apostrophe.
function quoted(value) {
  let text = Array.isArray(value) ? value.join(" ") : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
