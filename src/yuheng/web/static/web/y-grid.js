// <y-grid>: a table whose cells are edited as in a spreadsheet, for hundreds of rows.
//
// Attributes: data-source = id of a JSON script: {columns, rows, errors, may_edit, may_add}. A column is
// {name, label, kind: "text" | "number" | "choice", choices?, suggest?, locked?, wide?}; a row is {id, cells, marks}; marks name
// cells that were set by hand. Sentences come from data-* attributes of the element, translated by the server.
// A form's hidden input named by data-field gets every row on submit; without it, data-post is sent changed cells only.
//
// Keys: arrows, Home, End, Page; Enter or F2 or typing edits; Escape leaves; Delete empties; Shift extends; Ctrl+C, X, V
// with Excel; Ctrl+D fills down; Ctrl+Z takes back; Ctrl+A all. Tab leaves the grid.

const UNDO_STEPS = 200;
const asText = (value) => (value === null || value === undefined ? "" : value === true ? "true" : value === false ? "false" : String(value));

export function readTable(text) {
  // Text as spreadsheets put it on the clipboard: tabs, or else semicolons or commas; quoted cells may hold line ends.
  const first = text.split("\n", 1)[0];
  const separator = first.includes("\t") ? "\t" : first.includes(";") && !first.includes(",") ? ";" : first.includes(",") && text.trim().includes("\n") ? "," : "\t";
  const rows = [[""]];
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    const row = rows[rows.length - 1];
    if (isQuoted) {
      if (char === '"' && text[at + 1] === '"') { row[row.length - 1] += '"'; at += 1; }
      else if (char === '"') isQuoted = false;
      else row[row.length - 1] += char;
    } else if (char === '"' && row[row.length - 1] === "") isQuoted = true;
    else if (char === separator) row.push("");
    else if (char === "\n") rows.push([""]);
    else if (char !== "\r") row[row.length - 1] += char;
  }
  if (rows.length > 1 && rows[rows.length - 1].length === 1 && rows[rows.length - 1][0] === "") rows.pop();
  return rows;
}

export function writeTable(rows) {
  const quoted = (cell) => (/[\t\n"]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => row.map(quoted).join("\t")).join("\n");
}

class Grid extends HTMLElement {
  connectedCallback() {
    const given = JSON.parse(document.getElementById(this.dataset.source).textContent);
    this.columns = given.columns;
    this.mayEdit = given.may_edit;
    this.mayAdd = Boolean(given.may_add);
    this.errors = new Map(Object.entries(given.errors ?? {}));
    this.rows = given.rows.map((row) => this.made(row));
    this.undone = [];
    this.at = { row: 0, column: 0 };
    this.anchor = { row: 0, column: 0 };
    this.editor = null;
    this.build();
    if (this.rows.length === 0 && this.mayAdd) this.addRows(1);
    this.paint();
    this.form = this.dataset.field ? this.closest("form") : null;
    this.form?.addEventListener("submit", () => this.fill());
    window.addEventListener("beforeunload", (event) => { if (this.isDirty && !this.isLeaving) event.preventDefault(); });
    this.form?.addEventListener("submit", () => { this.isLeaving = true; });
  }

  made(row) {
    const read = (values) => Object.fromEntries(this.columns.map((column) => [column.name, asText(values?.[column.name])]));
    const cells = read(row.cells);
    const unsaved = row.id === null ? Object.fromEntries(this.columns.map((column) => [column.name, null])) : { ...cells };
    return { id: row.id ?? null, cells, first: row.first ? read(row.first) : unsaved, marks: new Set(row.marks ?? []), label: row.label ?? "" };
  }

  // ---- drawing ----------------------------------------------------------------------------------------------------

  build() {
    const wrap = document.createElement("div");
    wrap.className = "grid-wrap";
    this.table = document.createElement("table");
    this.table.className = "grid";
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", this.dataset.label);
    this.table.setAttribute("aria-multiselectable", "true");
    if (!this.mayEdit) this.table.setAttribute("aria-readonly", "true");
    const head = this.table.createTHead().insertRow();
    const corner = document.createElement("th");
    corner.scope = "col";
    corner.textContent = this.dataset.number;
    head.append(corner);
    for (const column of this.columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.label;
      if (column.hint) cell.title = column.hint;
      head.append(cell);
    }
    this.body = this.table.createTBody();
    wrap.append(this.table);
    this.status = document.createElement("p");
    this.status.className = "grid-status mute";
    this.status.setAttribute("role", "status");
    this.problems = document.createElement("ul");
    this.problems.className = "grid-errors";
    this.replaceChildren(wrap, this.status, this.problems);
    this.table.addEventListener("keydown", (event) => this.key(event));
    this.table.addEventListener("mousedown", (event) => this.press(event));
    this.table.addEventListener("mouseover", (event) => { if (this.isDragging) this.go(event.target.closest("td"), true); });
    window.addEventListener("mouseup", () => { this.isDragging = false; });
    this.table.addEventListener("dblclick", (event) => { if (event.target.closest("td")) this.edit(); });
    this.table.addEventListener("copy", (event) => this.copy(event));
    this.table.addEventListener("cut", (event) => { this.copy(event); this.clear(); });
    this.table.addEventListener("paste", (event) => this.paste(event));
  }

  paint() {
    this.table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.body.replaceChildren(...this.rows.map((row, at) => this.drawn(row, at)));
    this.say();
    this.mark();
  }

  drawn(row, at) {
    const line = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = row.label || String(at + 1);
    line.append(head);
    this.columns.forEach((column, index) => {
      const cell = document.createElement("td");
      cell.tabIndex = -1;
      cell.dataset.row = String(at);
      cell.dataset.column = String(index);
      cell.setAttribute("role", "gridcell");
      if (column.locked || !this.mayEdit) cell.setAttribute("aria-readonly", "true");
      if (column.kind === "number") cell.classList.add("num");
      if (column.wide) cell.classList.add("wide");
      line.append(cell);
      this.write(cell, row, column, at);
    });
    return line;
  }

  write(cell, row, column, at) {
    const value = row.cells[column.name];
    cell.textContent = value;
    cell.classList.toggle("is-changed", value !== row.first[column.name]);
    const isOwn = row.marks.has(column.name);
    cell.classList.toggle("is-own", isOwn);
    const error = this.errors.get(`${row.id && !this.dataset.field ? row.id : at}.${column.name}`);
    cell.toggleAttribute("aria-invalid", false);
    if (error) cell.setAttribute("aria-invalid", "true"); else cell.removeAttribute("aria-invalid");
    const words = [error, isOwn ? this.dataset.own : ""].filter(Boolean).join(" ");
    if (words) cell.title = words; else cell.removeAttribute("title");
    if (isOwn) {
      const sign = document.createElement("span");
      sign.className = "own-mark";
      sign.textContent = "✎";
      sign.setAttribute("role", "img");
      sign.setAttribute("aria-label", this.dataset.own);
      cell.append(" ", sign);
    }
  }

  cell(row, column) { return this.body.rows[row]?.cells[column + 1]; }

  rewrite(row, column) {
    const cell = this.cell(row, column);
    if (cell) this.write(cell, this.rows[row], this.columns[column], row);
  }

  say() {
    const count = this.changes().length;
    const parts = [this.dataset.rows.replace("{n}", String(this.rows.length))];
    if (this.mayEdit) parts.push(this.dataset.changed.replace("{n}", String(count)));
    this.status.textContent = parts.join(" · ");
    const listed = [...this.errors].slice(0, 20);
    this.problems.replaceChildren(...listed.map(([key, words]) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet field-error";
      const place = this.placeOf(key);
      button.textContent = place ? `${this.rows[place.row].label || place.row + 1} · ${this.columns[place.column].label}: ${words}` : words;
      button.addEventListener("click", () => { if (place) { this.move(place.row, place.column, false); this.focusCell(); } });
      item.append(button);
      return item;
    }));
    this.dispatchEvent(new CustomEvent("grid-changed", { detail: { count }, bubbles: true }));
  }

  placeOf(key) {
    const dot = key.indexOf(".");
    const id = key.slice(0, dot);
    const row = this.dataset.field ? Number(id) : this.rows.findIndex((one) => String(one.id) === id);
    const column = this.columns.findIndex((one) => one.name === key.slice(dot + 1));
    return row >= 0 && row < this.rows.length && column >= 0 ? { row, column } : null;
  }

  // ---- where the person is ----------------------------------------------------------------------------------------

  box() {
    const rows = [this.at.row, this.anchor.row].sort((a, b) => a - b);
    const columns = [this.at.column, this.anchor.column].sort((a, b) => a - b);
    return { top: rows[0], bottom: rows[1], left: columns[0], right: columns[1] };
  }

  mark() {
    for (const cell of this.body.querySelectorAll("td.is-in, td[tabindex='0']")) {
      cell.classList.remove("is-in");
      cell.removeAttribute("aria-selected");
      cell.tabIndex = -1;
    }
    const box = this.box();
    for (let row = box.top; row <= box.bottom; row += 1) {
      for (let column = box.left; column <= box.right; column += 1) {
        const cell = this.cell(row, column);
        cell?.classList.add("is-in");
        cell?.setAttribute("aria-selected", "true");
      }
    }
    const here = this.cell(this.at.row, this.at.column);
    if (here) here.tabIndex = 0;
  }

  focusCell() {
    const here = this.cell(this.at.row, this.at.column);
    here?.focus({ preventScroll: true });
    here?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  move(row, column, isExtending) {
    this.at = {
      row: Math.max(0, Math.min(this.rows.length - 1, row)),
      column: Math.max(0, Math.min(this.columns.length - 1, column)),
    };
    if (!isExtending) this.anchor = { ...this.at };
    this.mark();
  }

  go(cell, isExtending) {
    if (!cell || cell.dataset.row === undefined) return;
    this.move(Number(cell.dataset.row), Number(cell.dataset.column), isExtending);
  }

  press(event) {
    const cell = event.target.closest("td");
    if (!cell || this.editor?.parentElement === cell || event.button !== 0) return;
    this.finish(true);
    this.go(cell, event.shiftKey);
    this.isDragging = true;
    this.focusCell();
    event.preventDefault();
  }

  key(event) {
    if (this.editor) { this.editorKey(event); return; }
    const isExtending = event.shiftKey;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-15, 0], PageDown: [15, 0] };
    const withControl = event.ctrlKey || event.metaKey;
    if (steps[event.key] && !event.altKey) {
      const [down, right] = steps[event.key];
      const far = withControl ? 1e6 : 1;
      this.move(this.at.row + down * far, this.at.column + right * far, isExtending);
    } else if (event.key === "Home") this.move(withControl ? 0 : this.at.row, 0, isExtending);
    else if (event.key === "End") this.move(withControl ? 1e6 : this.at.row, 1e6, isExtending);
    else if (withControl && event.key.toLowerCase() === "a") { this.anchor = { row: 0, column: 0 }; this.move(1e6, 1e6, true); }
    else if (withControl && event.key.toLowerCase() === "d") this.fillDown();
    else if (withControl && event.key.toLowerCase() === "z") this.undo();
    else if (withControl && event.key === "-") this.removeRows();
    else if (event.key === "Enter" || event.key === "F2") this.edit();
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else if (event.key.length === 1 && !withControl && !event.altKey) { this.edit(event.key); }
    else return;
    event.preventDefault();
    if (!this.editor) this.focusCell();
  }

  // ---- editing ----------------------------------------------------------------------------------------------------

  isLocked(column) { return !this.mayEdit || Boolean(this.columns[column].locked); }

  /** The id of a list of values that a column knows; anything else may be typed, too. */
  suggestions(about) {
    const id = `${this.id || "grid"}-${about.name}-known`;
    if (!document.getElementById(id)) {
      const list = document.createElement("datalist");
      list.id = id;
      list.append(...about.suggest.map(([code, name]) => Object.assign(document.createElement("option"), { value: code, label: name || code })));
      this.append(list);
    }
    return id;
  }

  edit(typed) {
    const { row, column } = this.at;
    const cell = this.cell(row, column);
    if (!cell || this.isLocked(column)) return;
    const about = this.columns[column];
    const value = this.rows[row].cells[about.name];
    if (about.kind === "choice") {
      this.editor = document.createElement("select");
      const choices = about.choices.includes(value) ? about.choices : [value, ...about.choices];
      this.editor.append(...choices.map((choice) => new Option(choice, choice, false, choice === value)));
      const near = typed && about.choices.find((choice) => choice.toLowerCase().startsWith(typed.toLowerCase()));
      if (near) this.editor.value = near;
      this.editor.addEventListener("change", () => { this.finish(true); this.focusCell(); });
    } else {
      this.editor = document.createElement("input");
      this.editor.value = typed ?? value;
      this.editor.maxLength = 2000;
      if (about.suggest?.length) this.editor.setAttribute("list", this.suggestions(about));
    }
    this.editor.setAttribute("aria-label", about.label);
    this.editor.addEventListener("blur", () => this.finish(true));
    cell.replaceChildren(this.editor);
    this.editor.focus();
    if (typed === undefined && this.editor.select) this.editor.select();
  }

  editorKey(event) {
    if (event.key === "Escape") this.finish(false);
    else if (event.key === "Enter") { this.finish(true); this.move(this.at.row + (event.shiftKey ? -1 : 1), this.at.column, false); }
    else if (event.key === "Tab") { this.finish(true); this.move(this.at.row, this.at.column + (event.shiftKey ? -1 : 1), false); }
    else return;
    event.preventDefault();
    this.focusCell();
  }

  finish(isKept) {
    if (!this.editor) return;
    const { editor } = this;
    this.editor = null;
    const { row, column } = { row: Number(editor.parentElement.dataset.row), column: Number(editor.parentElement.dataset.column) };
    if (isKept) this.set([[row, column, editor.value]]);
    this.rewrite(row, column);
    this.mark();
  }

  set(changes) {
    const before = [];
    for (const [row, column, value] of changes) {
      if (!this.rows[row] || this.columns[column] === undefined || this.isLocked(column)) continue;
      const about = this.columns[column];
      const cells = this.rows[row].cells;
      const clean = asText(value).trim();
      if (cells[about.name] === clean) continue;
      before.push([row, column, cells[about.name]]);
      cells[about.name] = clean;
      this.errors.delete(`${this.dataset.field ? row : this.rows[row].id}.${about.name}`);
      this.rewrite(row, column);
    }
    if (before.length) {
      this.undone.push(before);
      if (this.undone.length > UNDO_STEPS) this.undone.shift();
    }
    this.say();
    this.mark();
  }

  undo() {
    const before = this.undone.pop();
    if (!before) return;
    this.set(before);
    this.undone.pop();
  }

  clear() {
    const box = this.box();
    const changes = [];
    for (let row = box.top; row <= box.bottom; row += 1) for (let column = box.left; column <= box.right; column += 1) changes.push([row, column, ""]);
    this.set(changes);
  }

  fillDown() {
    const box = this.box();
    const bottom = box.bottom === box.top ? this.rows.length - 1 : box.bottom;
    const changes = [];
    for (let column = box.left; column <= box.right; column += 1) {
      const value = this.rows[box.top].cells[this.columns[column].name];
      for (let row = box.top + 1; row <= bottom; row += 1) changes.push([row, column, value]);
    }
    this.set(changes);
  }

  copy(event) {
    if (this.editor) return;
    const box = this.box();
    const rows = [];
    for (let row = box.top; row <= box.bottom; row += 1) {
      rows.push(this.columns.slice(box.left, box.right + 1).map((column) => this.rows[row].cells[column.name]));
    }
    event.clipboardData.setData("text/plain", writeTable(rows));
    event.preventDefault();
  }

  paste(event) {
    if (this.editor || !this.mayEdit) return;
    event.preventDefault();
    this.take(event.clipboardData.getData("text/plain"));
  }

  take(text) {
    // A first row that names columns decides where each goes; else cells go to the right of where the person is.
    const rows = readTable(text);
    const named = rows[0].map((cell) => this.columns.findIndex((one) => [one.name, one.label].some((word) => word.toLowerCase() === cell.trim().toLowerCase())));
    const hasHead = rows.length > 1 && named.filter((column) => column >= 0).length >= Math.min(2, rows[0].length);
    const body = hasHead ? rows.slice(1) : rows;
    const box = this.box();
    const isOne = body.length === 1 && body[0].length === 1;
    const changes = [];
    if (isOne) {
      for (let row = box.top; row <= box.bottom; row += 1) for (let column = box.left; column <= box.right; column += 1) changes.push([row, column, body[0][0]]);
    } else {
      const missing = box.top + body.length - this.rows.length;
      if (missing > 0 && this.mayAdd) this.addRows(missing, false);
      body.forEach((cells, down) => cells.forEach((value, right) => {
        const column = hasHead ? named[right] : box.left + right;
        if (column >= 0) changes.push([box.top + down, column, value]);
      }));
      this.anchor = { row: box.top, column: hasHead ? 0 : box.left };
      this.at = { row: Math.min(this.rows.length - 1, box.top + body.length - 1), column: Math.min(this.columns.length - 1, (hasHead ? 0 : box.left) + body[0].length - 1) };
    }
    this.set(changes);
    this.focusCell();
  }

  // ---- rows -------------------------------------------------------------------------------------------------------

  addRows(count, isPainted = true) {
    for (let at = 0; at < count; at += 1) {
      const cells = Object.fromEntries(this.columns.map((column) => [column.name, asText(column.default)]));
      this.rows.push(this.made({ id: null, cells }));
      if (!isPainted) this.body.append(this.drawn(this.rows[this.rows.length - 1], this.rows.length - 1));
    }
    if (isPainted) this.paint();
  }

  removeRows() {
    if (!this.mayAdd) return;
    const box = this.box();
    this.rows.splice(box.top, box.bottom - box.top + 1);
    this.removed = true;
    this.undone = [];
    this.errors.clear();
    if (this.rows.length === 0) this.addRows(1, false);
    this.move(box.top, box.left, false);
    this.paint();
    this.mark();
    this.focusCell();
  }

  // ---- out --------------------------------------------------------------------------------------------------------

  get isDirty() { return Boolean(this.removed) || this.changes().length > 0; }

  changes() {
    const found = [];
    for (const row of this.rows) {
      for (const column of this.columns) {
        const now = row.cells[column.name];
        const first = row.first[column.name];
        if (now !== first && !(first === null && now === asText(column.default))) found.push([row, column.name]);
      }
    }
    return found;
  }

  isEmpty(row) { return this.columns.every((column) => row.cells[column.name] === "" || row.cells[column.name] === asText(column.default)); }

  fill() {
    this.finish(true);
    const rows = this.rows.filter((row) => row.id !== null || !this.isEmpty(row)).map((row) => ({ id: row.id, cells: row.cells }));
    this.form.elements.namedItem(this.dataset.field).value = JSON.stringify(rows);
  }

  async send() {
    this.finish(true);
    const edits = new Map();
    for (const [row, name] of this.changes()) {
      const edit = edits.get(row) ?? { tag_id: row.id, cells: {}, seen: {} };
      edit.cells[name] = row.cells[name];
      edit.seen[name] = row.first[name];
      edits.set(row, edit);
    }
    if (edits.size === 0) return { ok: true, said: this.dataset.nothing };
    const answer = await fetch(this.dataset.post, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.dataset.csrf, Accept: "application/json" },
      body: JSON.stringify({ edits: [...edits.values()] }),
    });
    const told = await answer.json().catch(() => ({ detail: this.dataset.failed }));
    this.errors = new Map(Object.entries(told.fields ?? {}));
    if (answer.ok) {
      for (const [row] of edits) {
        row.first = { ...row.cells };
        row.marks = new Set(told.marks?.[row.id] ?? [...row.marks]);
      }
      this.undone = [];
    }
    this.paint();
    return { ok: answer.ok, said: told.detail ?? this.dataset.failed };
  }
}

customElements.define("y-grid", Grid);

for (const button of document.querySelectorAll("[data-grid-action]")) {
  const grid = document.getElementById(button.dataset.grid);
  const actions = {
    add: () => { grid.addRows(1); grid.move(grid.rows.length - 1, 0, false); grid.focusCell(); },
    remove: () => grid.removeRows(),
    down: () => { grid.fillDown(); grid.focusCell(); },
    undo: () => { grid.undo(); grid.focusCell(); },
    save: async () => {
      button.disabled = true;
      const told = await grid.send().catch(() => ({ ok: false, said: grid.dataset.failed }));
      button.disabled = false;
      const notice = document.getElementById(button.dataset.notice);
      notice.textContent = told.said;
      notice.className = told.ok ? "notice" : "notice error";
      notice.hidden = false;
    },
  };
  button.addEventListener("click", actions[button.dataset.gridAction]);
}
