"use strict";
// The page is whole without this: it only adds sorting and filtering.
(() => {
  const table = document.querySelector(".apps");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const tools = document.querySelector(".tools");
  const [search, status, shown] = ["input", "select", "output"].map((tag) => tools.querySelector(tag));
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const fits = (!status.value || row.className === status.value)
        && words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  };

  const order = new Intl.Collator("en", { numeric: true });
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const isNumber = head.classList.contains("n");
    const keyed = rows.map((row) => {
      const text = row.cells[column].textContent;
      return { row, key: isNumber ? parseFloat(text) : text };
    });
    // What has no figure goes to the end, whichever way round.
    const compare = isNumber
      ? (a, b) => Number.isNaN(a.key) - Number.isNaN(b.key) || (down ? b.key - a.key : a.key - b.key) || 0
      : (a, b) => (down ? order.compare(b.key, a.key) : order.compare(a.key, b.key));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...keyed.sort(compare).map(({ row }) => row));
  };

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head, column));
    head.replaceChildren(button);
  });
  search.addEventListener("input", filter);
  status.addEventListener("change", filter);
  tools.hidden = false;
  filter();
})();
