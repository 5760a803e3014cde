// Tables that can be sorted, searched and, if they are long, turned over page by page.
//
// A row is {cells, text, element()}: cells are what to sort by, numbers or texts; text is what to search in, in lower
// case; element() makes the row when it is first shown.

const PAGE = 50;
const natural = new Intl.Collator("en", { numeric: true });

class Rows {
  // Where more rows than `page` are given, that many are shown at a time; on paper all, if it `printsWhole`.
  constructor(table, rows, { page = PAGE, name = "table", printsWhole = false } = {}) {
    this.table = table;
    this.body = table.tBodies[0] ?? table.appendChild(element("tbody"));
    this.page = page;
    this.name = name;
    this.first = 0;
    this.query = "";
    this.sorted = null;
    this.status = element("span", { role: "status", class: "status" });
    this.turners = ["First", "Previous", "Next", "Last"].map((text, index) =>
      button(text, () => this.turn(index), { "aria-label": `${text} rows of the ${name}` }),
    );
    this.pager = element("div", { class: "pager" }, ...this.turners, this.status);
    this.table.closest(".wide").after(this.pager);
    [...table.tHead.rows[0].cells].forEach((head, column) => this.makeSortable(head, column));
    if (printsWhole) this.unroll();
    this.take(rows);
  }

  unroll() {
    const { page } = this;
    const show = (size) => () => {
      this.page = size;
      this.show();
    };
    addEventListener("beforeprint", show(Infinity));
    addEventListener("afterprint", show(page));
  }

  // Other rows in place of these; search and order stay.
  take(rows) {
    this.all = rows;
    this.first = 0;
    this.arrange();
  }

  searchField() {
    const label = `Search: ${this.name}`;
    const input = element("input", { type: "search", autocomplete: "off", spellcheck: "false", "aria-label": label });
    const search = settled(() => this.search(input.value), 120);
    input.addEventListener("input", search);
    this.field = input;
    return labelled("Search", input);
  }

  search(query) {
    this.query = query.trim().toLowerCase();
    this.first = 0;
    this.arrange();
  }

  makeSortable(head, column) {
    const text = head.textContent;
    if (!text) return;
    head.replaceChildren(button(text, () => this.sort(head, column), { class: "sort" }));
  }

  // Once: up, texts from A, numbers from the largest; twice: the other way; then as it was.
  sort(head, column) {
    const largestFirst = head.classList.contains("n");
    const ways = largestFirst ? ["descending", "ascending", null] : ["ascending", "descending", null];
    const way = ways[(ways.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    if (way) head.setAttribute("aria-sort", way);
    this.sorted = way && { column, sign: way === "ascending" ? 1 : -1 };
    this.first = 0;
    this.arrange();
  }

  turn(way) {
    const last = Math.max(0, Math.ceil(this.found.length / this.page) - 1) * this.page;
    this.first = [0, Math.max(0, this.first - this.page), Math.min(last, this.first + this.page), last][way];
    this.show();
  }

  arrange() {
    this.found = this.query ? this.all.filter((row) => row.text.includes(this.query)) : [...this.all];
    if (this.sorted) {
      const { column, sign } = this.sorted;
      this.found.sort((one, other) => sign * compared(one.cells[column], other.cells[column]));
    }
    this.show();
  }

  show() {
    const first = this.page === Infinity ? 0 : this.first;
    const shown = this.found.slice(first, first + this.page);
    this.body.replaceChildren(...shown.map((row) => row.element()));
    const { length } = this.found;
    const isPart = length > this.page;
    this.pager.hidden = !isPart && !this.query;
    for (const turner of this.turners) turner.hidden = !isPart;
    this.turners[0].disabled = this.turners[1].disabled = this.first === 0;
    this.turners[2].disabled = this.turners[3].disabled = this.first + this.page >= length;
    const span = isPart ? `${countText(this.first + 1)}–${countText(this.first + shown.length)} of ` : "";
    const filtered = this.query ? `, of ${countText(this.all.length)} in all` : "";
    this.status.textContent = `${span}${numberOf(length, "row")}${filtered}`;
  }
}

// Numbers by size, texts with the numbers in them in order; what is empty comes last.
function compared(one, other) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return one - other;
  return natural.compare(String(one), String(other));
}

// A table that the page already has: its rows are moved about.
function enhanceTable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const name = table.closest(".wide").previousElementSibling;
  const rows = [...table.tBodies[0].rows].map((row) => ({
    cells: [...row.cells].map((cell, column) => cellValue(cell, heads[column])),
    text: row.textContent.toLowerCase(),
    element: () => row,
  }));
  const title = name?.tagName === "H2" ? name.textContent : "table";
  const made = new Rows(table, rows, { name: title, printsWhole: true });
  if (rows.length >= 8) table.closest(".wide").before(element("div", { class: "toolbar" }, made.searchField()));
}

function cellValue(cell, head) {
  const text = cell.textContent;
  if (!text) return null;
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  if (!head.classList.contains("n")) return text;
  const number = Number(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}
