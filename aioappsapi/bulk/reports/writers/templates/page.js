"use strict";
// The page is complete without this, but for the table: its rows are JSON, and only those in sight
// are in the document.
(() => {
  const OVERSCAN = 12;
  const MOST_PRINTED = 2000;
  const { noun, columns, rows } = JSON.parse(document.getElementById("table").textContent);
  const section = document.getElementById("rows");
  const table = section.querySelector("table.rows");
  const [body, tools, cut] = [table.tBodies[0], section.querySelector(".tools"), section.querySelector(".cut")];
  const [search, output, reset] = ["input", "output", ".reset"].map((one) => tools.querySelector(one));
  const number = new Intl.NumberFormat("en");
  const shown = columns.filter((column) => column.kind !== "notes");
  const at = new Map(columns.map((column, index) => [column.id, index]));

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // -- cells

  const label = (column, value) => {
    if (value === null) return "";
    switch (column.kind) {
      case "app": return value[0] || value[1];
      case "status": return column.labels[value];
      case "value": return column.values[value];
      case "seconds": return value < 1 && value >= 0 ? value.toFixed(3) : value.toFixed(2);
      case "notes": return value.join("\n");
      default: return String(value);
    }
  };
  const isNumber = (column) => column.kind === "number" || column.kind === "seconds";
  const classOf = (column) => {
    const kind = column.kind === "value" && column.id !== "reason" ? "place" : column.kind;
    return `${kind} c-${column.id}${isNumber(column) ? " n" : ""}`;
  };

  const fill = (cell, column, value, index) => {
    const text = label(column, value);
    if (column.kind === "app") {
      const button = make("button", "link", text);
      button.type = "button";
      button.addEventListener("click", () => open(index));
      cell.append(button);
      if (value[0]) cell.append(make("code", "", value[1]));
    } else if (column.kind === "status") {
      cell.append(make("i", column.values[value], text));
    } else if (column.kind === "value") {
      const box = make("div", "two", text);
      box.title = text;
      cell.append(box);
    } else {
      cell.textContent = text;
    }
  };

  // -- order and filters

  // Digits are padded, so that app-10 comes after app-9 with an ordinary comparison.
  const natural = (text) => text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
  const ranked = (texts) => {
    const keys = texts.map(natural);
    const ranks = new Float64Array(texts.length);
    const sorted = keys.map((_, index) => index).sort((a, b) => (keys[a] < keys[b] ? -1 : +(keys[a] > keys[b])));
    let rank = -1;
    let last = null;
    for (const index of sorted) {
      if (keys[index] !== last) [rank, last] = [rank + 1, keys[index]];
      ranks[index] = rank;
    }
    return ranks;
  };
  const keysOf = new Map();
  const keys = (column) => {
    if (!keysOf.has(column.id)) {
      const index = at.get(column.id);
      let found;
      if (column.kind === "app") {
        found = ranked(rows.map((row) => label(column, row[index])));
      } else if (column.kind === "value") {
        const ranks = ranked(column.values);
        found = Float64Array.from(rows, (row) => (column.values[row[index]] ? ranks[row[index]] : NaN));
      } else {
        found = Float64Array.from(rows, (row) => row[index] ?? NaN);
      }
      keysOf.set(column.id, found);
    }
    return keysOf.get(column.id);
  };

  let order = rows.map((_, index) => index);
  let visible = order;
  const chosen = new Map();

  const sort = (column, descending) => {
    const key = keys(column);
    const sign = descending ? -1 : 1;
    // A row without a value comes last in both directions.
    order = rows.map((_, index) => index).sort((a, b) => {
      const [x, y] = [key[a], key[b]];
      if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
      return sign * (x - y) || a - b;
    });
    for (const head of table.tHead.rows[0].cells) {
      const mine = head.dataset.column === column.id;
      if (mine) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    filter();
  };

  let texts = null;
  const textOf = (row) => columns.map((column, index) => (
    column.kind === "app" ? row[index].join(" ") : isNumber(column) ? "" : label(column, row[index])
  )).join(" ").toLowerCase();

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !texts) texts = rows.map(textOf);
    const wanted = [...chosen].map(([id, value]) => [at.get(id), value]);
    visible = order.filter((index) => (
      wanted.every(([column, value]) => rows[index][column] === value)
      && words.every((word) => texts[index].includes(word))
    ));
    const plural = rows.length === 1 ? noun : `${noun}s`;
    output.textContent = visible.length === rows.length
      ? `${number.format(rows.length)} ${plural}`
      : `${number.format(visible.length)} of ${number.format(rows.length)} ${plural}`;
    reset.hidden = !words.length && !wanted.length;
    table.setAttribute("aria-rowcount", visible.length + 1);
    live.forEach((row) => row.remove());
    live.clear();
    render();
  };

  // -- the window of rows

  const live = new Map();
  const spacer = () => {
    const row = make("tr", "space");
    row.setAttribute("aria-hidden", "true");
    const cell = row.appendChild(make("td"));
    row.hidden = true;
    return row;
  };
  const [before, after] = [spacer(), spacer()];
  body.append(before, after);
  let rowHeight = 50;
  let printing = false;

  const rowOf = (place) => {
    const index = visible[place];
    const row = make("tr");
    row.setAttribute("aria-rowindex", place + 2);
    for (const column of shown) {
      const cell = row.appendChild(make("td", classOf(column)));
      fill(cell, column, rows[index][at.get(column.id)], index);
    }
    return row;
  };

  const firstInSight = () => Math.floor(-body.getBoundingClientRect().top / rowHeight);
  const render = (first = firstInSight()) => {
    let from = Math.max(0, first - OVERSCAN);
    let to = from + Math.ceil(innerHeight / rowHeight) + 2 * OVERSCAN;
    if (printing) [from, to] = [0, MOST_PRINTED];
    to = Math.min(visible.length, to);
    from = Math.min(from, to);
    for (const [place, row] of live) {
      if (place < from || place >= to) {
        row.remove();
        live.delete(place);
      }
    }
    let next = after;
    for (let place = to - 1; place >= from; place -= 1) {
      let row = live.get(place);
      if (!row) {
        row = rowOf(place);
        live.set(place, row);
        body.insertBefore(row, next);
      }
      next = row;
    }
    before.hidden = printing || !from;
    after.hidden = printing || to === visible.length;
    before.firstChild.style.height = `${from * rowHeight}px`;
    after.firstChild.style.height = `${(visible.length - to) * rowHeight}px`;
    cut.hidden = !(printing && to < visible.length) && visible.length > 0;
    cut.textContent = visible.length
      ? `The first ${number.format(to)} of ${number.format(visible.length)} are printed. Filter the table to print others.`
      : `No ${noun} fits these filters.`;
  };
  const measure = () => {
    // A column that the style sheet hides here must not be counted.
    const seen = [...table.tHead.rows[0].cells].filter((head) => head.offsetWidth).length;
    for (const row of [before, after]) row.firstChild.colSpan = seen;
    const row = live.values().next().value;
    if (!row || printing) return;
    const height = row.getBoundingClientRect().height;
    if (height && Math.abs(height - rowHeight) > 0.1) {
      rowHeight = height;
      render();
    }
  };
  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      render();
    });
  };
  const print = (on) => {
    if (printing === on) return;
    printing = on;
    render();
  };

  // -- the details of one row

  const dialog = document.querySelector("dialog");
  const open = (index) => {
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    columns.forEach((column, place) => {
      const text = label(column, rows[index][place]);
      if (column.kind === "app") {
        dialog.querySelector("h2").textContent = text;
        list.append(make("dt", "", "GUID"), make("dd", "", rows[index][place][1]));
      } else if (text) {
        const unit = column.kind === "seconds" ? " s" : "";
        list.append(make("dt", "", column.title), make("dd", "", text + unit));
      }
    });
    dialog.showModal();
  };

  // -- controls

  const choose = (id, value) => {
    if (value === null) chosen.delete(id);
    else chosen.set(id, value);
    const select = tools.querySelector(`select[data-column="${id}"]`);
    if (select) select.value = value === null ? "" : String(value);
  };
  const optionsOf = (column) => {
    const index = at.get(column.id);
    const found = new Map();
    for (const row of rows) if (row[index] !== null) found.set(row[index], (found.get(row[index]) ?? 0) + 1);
    const values = [...found.keys()];
    if (column.kind === "value") {
      const ranks = ranked(column.values);
      values.sort((a, b) => ranks[a] - ranks[b]);
    } else {
      values.sort((a, b) => a - b);
    }
    return values.map((value) => [value, `${label(column, value) || "none"} (${number.format(found.get(value))})`]);
  };
  for (const column of shown.filter((one) => one.filter)) {
    const options = optionsOf(column);
    if (options.length < 2 || options.length > 2000) continue;
    const select = make("select");
    select.dataset.column = column.id;
    select.setAttribute("aria-label", `Filter by ${column.title.toLowerCase()}`);
    select.append(new Option(column.filter, ""));
    for (const [value, text] of options) select.append(new Option(text.length > 90 ? `${text.slice(0, 89)}…` : text, value));
    select.addEventListener("change", () => {
      choose(column.id, select.value === "" ? null : Number(select.value));
      filter();
    });
    output.before(select);
  }
  const heads = make("tr");
  for (const column of shown) {
    const head = heads.appendChild(make("th", classOf(column)));
    head.scope = "col";
    head.dataset.column = column.id;
    if (column.help) head.title = column.help;
    const button = head.appendChild(make("button", "", column.title));
    button.type = "button";
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
  }
  table.tHead.append(heads);
  heads.setAttribute("aria-rowindex", "1");
  search.addEventListener("input", filter);
  reset.addEventListener("click", () => {
    search.value = "";
    for (const id of [...chosen.keys()]) choose(id, null);
    filter();
    search.focus();
  });
  for (const button of document.querySelectorAll("button[data-reason]")) {
    const status = columns[at.get("status")].values.indexOf(button.dataset.status);
    button.hidden = false;
    button.addEventListener("click", () => {
      search.value = "";
      for (const id of [...chosen.keys()]) choose(id, null);
      choose("status", status);
      choose("reason", Number(button.dataset.reason));
      filter();
      section.scrollIntoView();
      search.focus({ preventScroll: true });
    });
  }

  const tip = document.getElementById("tip");
  document.addEventListener("pointermove", (event) => {
    const target = event.target.closest?.("[data-tip]");
    tip.hidden = !target;
    if (!target) return;
    tip.textContent = target.dataset.tip;
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 8))}px`;
    tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
  });
  addEventListener("scroll", () => {
    tip.hidden = true;
    later();
  }, { passive: true });
  body.addEventListener("keydown", (event) => {
    // The next row must be in the document before the focus moves, however fast the keys come.
    const row = event.key === "Tab" && event.target.closest("tr[aria-rowindex]");
    if (row) render(row.getAttribute("aria-rowindex") - 2 - Math.floor(innerHeight / rowHeight / 2));
  });
  addEventListener("resize", () => {
    later();
    measure();
  });
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  matchMedia("print").addEventListener("change", (event) => print(event.matches));

  tools.hidden = false;
  (window.requestIdleCallback ?? setTimeout)(() => keys(columns.find((column) => column.kind === "app")));
  measure();
  sort(columns.find((column) => column.kind === "status"), false);
  measure();
})();
