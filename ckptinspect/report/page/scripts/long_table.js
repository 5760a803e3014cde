// A table that comes as data, since a page with all of its rows would be slow: see blocks.py for the data.

function longTable(place) {
  const { columns, rows, foot } = dataIn(place);
  const heads = columns.map(([title, isNumber]) => element("th", { scope: "col", class: isNumber ? "n" : null }, title));
  const table = element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody"));
  if (foot.length) table.append(element("tfoot", {}, ...foot.map((cells) => rowElement(cells, columns))));
  const heading = place.previousElementSibling;
  place.replaceChildren(element("div", { class: "wide" }, table));
  const name = heading?.tagName === "H2" ? heading.textContent : "table";
  const listed = rows.map((cells) => ({
    cells: cells.map(sortValue),
    text: cells.map(cellText).join("\n").toLowerCase(),
    element: () => rowElement(cells, columns),
  }));
  const made = new Rows(table, listed, { name });
  place.prepend(element("div", { class: "toolbar" }, made.searchField()));
}

function rowElement(cells, columns) {
  const made = cells.map((cell, index) => {
    const [, isNumber, isName] = columns[index];
    const text = cellText(cell);
    return element("td", { class: isNumber ? "n" : text.length > LONG ? "name long" : isName ? "name" : null }, text);
  });
  return element("tr", {}, ...made);
}

// Names up to this stay on one line, as in html.py.
const LONG = 100;

// A cell is a text, a count, or how a number is written with its value.
function cellText(cell) {
  if (Array.isArray(cell)) return cell[0];
  return typeof cell === "number" ? countText(cell) : cell;
}

function sortValue(cell) {
  if (Array.isArray(cell)) return cell[1];
  return cell === "" ? null : cell;
}
