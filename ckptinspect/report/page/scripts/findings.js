// Findings by severity, by rule, and by what is typed.

function filterFindings(sections) {
  const findings = sections.flatMap((section) => [...section.querySelectorAll("li[data-severity]")]);
  if (findings.length < 2) return;
  const hidden = new Set();
  let rule = "";
  let query = "";
  const status = element("span", { role: "status", class: "status" });

  const show = () => {
    let shown = 0;
    for (const finding of findings) {
      const place = finding.closest(".place").querySelector("h3")?.textContent ?? "";
      finding.hidden =
        hidden.has(finding.dataset.severity) ||
        (rule && finding.dataset.rule !== rule) ||
        !`${place}\n${finding.textContent}`.toLowerCase().includes(query);
      shown += !finding.hidden;
    }
    for (const section of sections) {
      for (const place of section.querySelectorAll(".place")) place.hidden = !place.querySelector("li:not([hidden])");
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    status.textContent = `${countText(shown)} of ${numberOf(findings.length, "finding")}`;
  };

  const search = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const settle = settled(() => {
    query = search.value.trim().toLowerCase();
    show();
  }, 120);
  search.addEventListener("input", settle);

  const severities = counted(findings, "severity").map(([severity, count]) => {
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(severity);
      else hidden.add(severity);
      show();
    });
    return element("label", { class: "choice" }, box, ` ${severity} (${countText(count)})`);
  });

  const rules = element("select", {}, element("option", { value: "" }, "every rule"));
  for (const [name, count] of counted(findings, "rule")) {
    rules.append(element("option", { value: name }, `${name} (${countText(count)})`));
  }
  rules.addEventListener("change", () => {
    rule = rules.value;
    show();
  });

  const shownOnly = element("span", { role: "group", "aria-label": "Severities to show", class: "field" }, ...severities);
  const bar = [labelled("Search the findings", search), shownOnly, labelled("Rule", rules), status];
  sections[0].before(element("div", { class: "toolbar" }, ...bar));
  show();
}

// How many findings have each value, in the order in which they come.
function counted(findings, key) {
  const found = new Map();
  for (const { dataset } of findings) found.set(dataset[key], (found.get(dataset[key]) ?? 0) + 1);
  return [...found];
}
