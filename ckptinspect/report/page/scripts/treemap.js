// The treemap: boxes inside boxes, as large as their bytes. The library draws; keys, focus and what is told are ours.
//
// What is drawn is what there is room to see: the largest boxes are opened first, until there are enough.

const MOST_BOXES = 420;
const SMALLEST = 0.002;
const DEEPEST = 4;

// A name that would have to be written smaller is left out.
const LEGIBLE = { minsize: 11, mode: "hide" };

class Treemap {
  constructor(place, { onOpen, onWay }) {
    this.open = onOpen;
    this.way = onWay;
    this.canvas = element("div", { class: "canvas", "aria-hidden": "true" });
    this.ring = element("div", { class: "ring", hidden: true });
    this.list = element("div", { class: "unseen" });
    this.keys = element(
      "div",
      { class: "map", tabindex: 0, role: "listbox", "aria-label": "Treemap" },
      this.list,
      this.canvas,
      this.ring,
    );
    this.keys.addEventListener("keydown", (event) => this.press(event));
    this.keys.addEventListener("focus", () => this.choose(this.chosen ?? 0));
    this.keys.addEventListener("blur", () => (this.ring.hidden = true));
    new ResizeObserver(settled(() => this.circle(), 60)).observe(this.canvas);
    place.append(this.keys);
    this.draw = drawing(this.canvas, () => this.figure());
    this.listens = false;
  }

  async show(box) {
    const before = this.box?.way ?? [];
    this.box = box;
    this.children = [...box.children].sort((one, other) => Number(other.bytes) - Number(one.bytes)).slice(0, MOST_BOXES);
    this.chosen = null;
    const cameFrom = this.children.findIndex((child) => before.includes(child));
    this.keys.setAttribute("aria-label", `Treemap of ${box.label}: arrow keys choose, Enter opens, Escape goes back`);
    this.list.replaceChildren(...this.children.map((child, index) => this.option(child, index)));
    this.boxes = seenIn(box, this.children);
    await this.draw();
    this.listen();
    if (document.activeElement === this.keys) this.choose(Math.max(0, cameFrom));
  }

  option(child, index) {
    const opens = child.opens ? ", can be opened" : "";
    const label = `${child.label}: ${child.told.join(", ")}${opens}`;
    return element("div", { id: `box-${index}`, role: "option", "aria-selected": "false" }, label);
  }

  // The library's own events can be had once it has drawn something.
  listen() {
    if (this.listens) return;
    this.listens = true;
    this.canvas.on("plotly_treemapclick", ({ points }) => {
      const hit = this.boxes[Number(points[0].id)];
      this.open(hit === this.box ? hit.above ?? hit : hit);
      return false;
    });
    this.canvas.on("plotly_afterplot", () => this.circle());
  }

  figure() {
    const way = this.way();
    const boxes = this.boxes;
    const number = new Map(boxes.map((box, index) => [box, index]));
    const opened = new Set(boxes.map((box) => box.above));
    const colours = boxes.map((box) => (box.isRest ? GREY : colourOf(way, box.categories(way)[0]?.[0] ?? NO_PARAMETERS)));
    colours[0] = pageColour("raised");
    const texts = colours.map(legibleOn);
    const trace = {
      type: "treemap",
      branchvalues: "total",
      ids: boxes.map((_, index) => String(index)),
      parents: boxes.map((box, index) => (index ? String(number.get(box.above)) : "")),
      labels: boxes.map((box) => (opened.has(box) ? plain(box.label) : plain(box.label).replaceAll(".", ".<br>"))),
      values: boxes.map((box) => Number(box.bytes)),
      text: boxes.map((box) => bytesText(box.bytes)),
      textinfo: "label+text",
      textfont: { color: texts },
      hoverinfo: "text",
      hovertext: boxes.map((box) => [box.path || box.label, ...box.told].map((line) => plain(line)).join("<br>")),
      marker: { colors: colours, line: { width: 1, color: pageColour("page") }, pad: { t: 22, l: 3, r: 3, b: 3 } },
      pathbar: { visible: false },
      tiling: { packing: "squarify", pad: 2 },
    };
    const margin = { l: 0, r: 0, t: 0, b: 0 };
    return { traces: [trace], layout: { height: innerWidth < 600 ? 420 : 560, margin, uniformtext: LEGIBLE } };
  }

  press(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { key } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (steps[key]) this.choose(this.neighbour(steps[key]));
    else if (key === "Home") this.choose(0);
    else if (key === "End") this.choose(this.children.length - 1);
    else if (key === "Enter" || key === " ") this.open(this.children[this.chosen ?? 0]);
    else if (key === "Escape" || key === "Backspace") this.open(this.box.above ?? this.box);
    else return;
    event.preventDefault();
  }

  choose(index) {
    if (!this.children.length) return;
    this.chosen = Math.max(0, Math.min(index, this.children.length - 1));
    [...this.list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    this.keys.setAttribute("aria-activedescendant", `box-${this.chosen}`);
    this.circle();
  }

  // Where each of the boxes right inside is drawn; what is too small to be drawn has no place.
  places() {
    const found = new Map();
    for (const slice of this.canvas.querySelectorAll("g.slice")) {
      const box = this.boxes[Number(slice.__data__?.data?.data?.id)];
      const index = this.children.indexOf(box);
      if (index >= 0) found.set(index, slice.querySelector("path").getBoundingClientRect());
    }
    return found;
  }

  // The nearest box that lies that way; the next by size where none does, or where it is not known who lies where.
  neighbour(step) {
    const current = this.chosen ?? 0;
    const places = this.places();
    const beside = places.has(current) ? nearest(places, current, step) : null;
    return beside ?? current + step[0] + step[1];
  }

  // A ring around what is chosen, where the keyboard is here.
  circle() {
    const place = this.chosen === null || this.chosen === undefined ? null : this.places().get(this.chosen);
    this.ring.hidden = !place || document.activeElement !== this.keys;
    if (this.ring.hidden) return;
    const origin = this.keys.getBoundingClientRect();
    const { style } = this.ring;
    style.left = `${place.left - origin.left}px`;
    style.top = `${place.top - origin.top}px`;
    style.width = `${place.width}px`;
    style.height = `${place.height}px`;
  }
}

// The boxes to draw: the one that is looked at, what is inside it and, the largest first, what is inside that.
function seenIn(root, children) {
  const seen = [root, ...withRest(root, children)];
  const waiting = children.filter((box) => box.opens).map((box) => [box, 1]);
  while (waiting.length) {
    waiting.sort(([one], [other]) => Number(other.bytes) - Number(one.bytes));
    const [box, depth] = waiting.shift();
    const isSmall = Number(box.bytes) < SMALLEST * Number(root.bytes);
    if (isSmall || depth >= DEEPEST || seen.length + box.children.length > MOST_BOXES) continue;
    seen.push(...box.children);
    waiting.push(...box.children.filter((child) => child.opens).map((child) => [child, depth + 1]));
  }
  return seen;
}

// The children, and a box for those that there are too many of.
function withRest(root, children) {
  const missing = root.children.length - children.length;
  if (!missing) return children;
  const bytes = Number(root.bytes) - children.reduce((sum, child) => sum + Number(child.bytes), 0);
  const rest = { tensors: missing, parameters: 0, bytes, isRest: true };
  return [...children, new Box(root.inside, `[${countText(missing)} more]`, "", root, rest)];
}
