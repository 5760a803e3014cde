// A tree is made of <details>, which fold without any script. Here it begins folded where it is long, and can be
// folded and unfolded as a whole; on paper nothing is folded.

const FEW_LINES = 40;
const SHOWN_DEPTH = 2;

function foldable(tree) {
  const all = [...tree.querySelectorAll("details")];
  if (!all.length) return;
  const depth = (details) => {
    let count = 0;
    for (let at = details.parentElement; at !== tree; at = at.parentElement) count += at.tagName === "DETAILS";
    return count;
  };
  const isLong = tree.querySelectorAll("li").length > FEW_LINES;
  const fold = (isOpen) => all.forEach((details) => (details.open = isOpen(details)));
  if (isLong) fold((details) => depth(details) < SHOWN_DEPTH);
  const bar = element(
    "div",
    { class: "toolbar" },
    button("Unfold all", () => fold(() => true)),
    button("Fold all", () => fold((details) => details === all[0])),
  );
  tree.before(bar);
  let before = null;
  addEventListener("beforeprint", () => {
    before = all.map((details) => details.open);
    fold(() => true);
  });
  addEventListener("afterprint", () => {
    if (before) all.forEach((details, index) => (details.open = before[index]));
  });
}
