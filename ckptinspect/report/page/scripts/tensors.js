// Every tensor by name: to be searched and sorted.

const TENSOR_COLUMNS = [
  ["name", false, true],
  ["module", false, true],
  ["role", false, false],
  ["dtype", false, true],
  ["shape", false, true],
  ["parameters", true, false],
  ["bytes", true, false],
  ["counts as", false, false],
  ["file", false, true],
];

function tensorList(place, inside) {
  const section = element("section", { class: "tensors" }, element("h2", {}, "Every tensor"));
  place.after(section);
  if (!inside.isWhole) {
    const why = "Too few of the tensors are alike to list them all here: the verb tensors lists them, -f csv as a file.";
    section.append(element("p", { class: "hint" }, why));
    return { find: () => {} };
  }
  const heads = TENSOR_COLUMNS.map(([title, isNumber]) =>
    element("th", { scope: "col", class: isNumber ? "n" : null }, title),
  );
  const table = element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody"));
  section.append(element("div", { class: "wide" }, table));
  const rows = new Rows(table, [...inside.tensors()].map(tensorRow), { page: 25, name: "tensors" });
  section.querySelector("h2").after(element("div", { class: "toolbar" }, rows.searchField()));
  const onPaper = `${numberOf(rows.all.length, "tensor")}: listed on the screen, not on paper.`;
  section.append(element("p", { class: "paper" }, onPaper));
  const find = (name) => {
    rows.field.value = name;
    rows.search(name);
    rows.field.focus();
  };
  return { find };
}

function tensorRow({ name, module, leaf, file }) {
  const shape = `[${leaf.shape.join(", ")}]`;
  const cells = [name || "''", module, leaf.role, leaf.dtype, shape, leaf.parameters, leaf.bytes, leaf.meaning, file];
  const text = [name, module, leaf.role, leaf.dtype, shape, leaf.meaning, file].join("\n").toLowerCase();
  const values = cells.with(5, Number(leaf.parameters)).with(6, Number(leaf.bytes));
  return { cells: values, text, element: () => rowElement(cells, TENSOR_COLUMNS) };
}
