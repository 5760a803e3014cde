// Everything begins here, once the page stands.

document.documentElement.classList.add("scripted");
document.querySelector("header").append(themeButton());
document.querySelectorAll("table.rows").forEach(enhanceTable);
document.querySelectorAll(".long-table").forEach(longTable);
document.querySelectorAll(".tree").forEach(foldable);
// What scrolls sideways must be reached by keyboard, whether or not there is something to press in it.
for (const wide of document.querySelectorAll(".wide")) {
  if (!wide.querySelector("button")) wide.tabIndex = 0;
}
const findings = [...document.querySelectorAll(".findings")];
if (findings.length) filterFindings(findings);
document.querySelectorAll(".inside").forEach(explore);
document.querySelectorAll(".chart").forEach(drawChart);

// "/" goes to the first search, as in many a reader of code.
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const field = document.querySelector(".tensors input[type=search]") ?? document.querySelector("input[type=search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
});
