// Walking through a checkpoint: where one is, the treemap, what its colours mean, and the same as a table.

const WAYS = [
  ["dtype", "number format"],
  ["role", "role"],
  ["bits", "bits a weight"],
];

function explore(place) {
  const inside = new Inside(dataIn(place));
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Where you are in the checkpoint" });
  const root = Box.root(inside);
  const ways = element("select", {}, ...WAYS.map(([value, name]) => element("option", { value }, name)));
  ways.value = tellingWay(root);
  const legend = element("ul", { class: "legend", "aria-label": "Bytes by what the colours mean" });
  const told = element("p", { class: "unseen", role: "status" });
  const map = element("div");
  const table = partsTable();
  const bar = element("div", { class: "toolbar" }, crumbs, labelled(library ? "Colours by" : "Sums by", ways));
  const keys = "Click a box to open it. By keyboard: arrows choose, Enter opens, Escape goes back.";
  const hint = element("p", { class: "hint", hidden: !library }, keys);
  place.append(bar, told, map, legend, hint, table.place);

  let at = null;
  const open = (box) => {
    if (box.opens || !box.above) show(box);
    else if (box.leaf) list.find(box.path);
  };
  const treemap = library ? new Treemap(map, { onOpen: open, onWay: () => ways.value }) : null;
  const show = (box) => {
    at = box;
    crumbs.replaceChildren(...box.way.map((step) => crumb(step, step === box, open)));
    table.show(box, open);
    colour();
    treemap?.show(box);
    told.textContent = `${box.path || box.label}: ${box.told.join(", ")}`;
  };
  const colour = () => showLegend(legend, at, ways.value);
  ways.addEventListener("change", () => {
    colour();
    treemap?.show(at);
  });
  const list = tensorList(place, inside);
  show(root);
}

// Number formats, unless nearly all is of one.
function tellingWay(root) {
  const [first] = root.categories("dtype");
  return first && first[1] > 0.95 * Number(root.bytes) ? "role" : "dtype";
}

function crumb(box, isLast, open) {
  if (isLast) return element("strong", { "aria-current": "location" }, box.label);
  return button(box.label, () => open(box), { class: "crumb" });
}

function showLegend(legend, box, way) {
  const items = box.categories(way).map(([category, bytes]) => {
    const patch = element("span", { class: "patch" });
    patch.style.background = colourOf(way, category);
    return element("li", {}, patch, `${category} `, element("span", { class: "dim" }, bytesText(bytes)));
  });
  legend.replaceChildren(...items);
}

const PARTS = ["part", "bytes", "size", "share", "parameters", "bits a parameter", "tensors", "mostly"];

// What is right inside a box, as a table: what the treemap shows, for those who would rather read.
function partsTable() {
  const numbers = new Set(["bytes", "size", "share", "parameters", "bits a parameter", "tensors"]);
  const heads = PARTS.map((name) => element("th", { scope: "col", class: numbers.has(name) ? "n" : null }, name));
  const caption = element("caption");
  const foot = element("tfoot");
  const table = element("table", { class: "rows" }, caption, element("thead", {}, element("tr", {}, ...heads)), foot);
  table.insertBefore(element("tbody"), foot);
  const place = element("div", { class: "parts" }, element("div", { class: "wide" }, table));
  const rows = new Rows(table, [], { page: 12, name: "parts" });
  const show = (box, open) => {
    caption.textContent = `Inside ${box.path || box.label}`;
    foot.replaceChildren(element("tr", {}, ...partCells(box, "all of it").map(cellElement)));
    rows.take([...box.children].sort((one, other) => Number(other.bytes) - Number(one.bytes)).map((part) => partRow(part, open)));
  };
  return { place, show };
}

function partRow(box, open) {
  const cells = partCells(box, box.label);
  const values = [box.label, ...[box.bytes, box.bytes, box.share, box.parameters].map(Number), box.bits, box.tensors, cells.at(-1)];
  const make = () => {
    const label = box.opens || box.leaf ? button(box.label, () => open(box), { class: "crumb" }) : box.label;
    return element("tr", {}, element("td", { class: "name" }, label), ...cells.slice(1).map((text, at) => cellElement(text, at + 1)));
  };
  let made = null;
  return { cells: values, text: box.path.toLowerCase(), element: () => (made ??= make()) };
}

function partCells(box, label) {
  const bits = box.bits === null ? "" : box.bits.toFixed(2);
  const mostly = ["dtype", "role"].map((way) => box.categories(way)[0]?.[0] ?? "");
  const figures = [countText(box.bytes), bytesText(box.bytes), shareText(box.share, 1), countText(box.parameters), bits];
  return [label, ...figures, countText(box.tensors), [...new Set(mostly)].join(", ")];
}

function cellElement(text, column) {
  return element("td", { class: column === 0 ? "name" : column < 7 ? "n" : null }, text);
}
