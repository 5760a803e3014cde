// What the treemap and its table show: boxes inside boxes. Modules with nothing but one module inside are one box.

class Box {
  constructor(inside, label, path, above, content) {
    this.inside = inside;
    this.label = label || "''";
    this.path = path;
    this.above = above;
    Object.assign(this, content);
    this.share = above ? Number(this.bytes) / Number(above.bytes) : 1;
  }

  // The whole checkpoint: its modules, and the headers of its files.
  static root(inside) {
    const { name, modules, headers } = inside.data;
    const nests = modules.map(([module, number]) => [module, number, inside.nest(number)]);
    const sum = (key) => nests.reduce((total, [, , nest]) => total + Number(nest[key]), 0);
    const stored = sum("bytes");
    const sums = { tensors: sum("tensors"), parameters: sum("parameters"), stored, bytes: stored + Number(headers) };
    const root = new Box(inside, name, "", null, sums);
    root.made = nests.map(([module, number]) => Box.module(inside, module, number, root));
    root.made.push(new Box(inside, HEADERS, HEADERS, root, { tensors: 0, parameters: 0, bytes: headers }));
    return root;
  }

  static module(inside, module, number, root) {
    const [words, last] = narrowed(inside, [], number);
    const made = new Box(inside, module, words.join("."), root, { ...inside.nest(number), number: last });
    made.isModule = true;
    return made;
  }

  get opens() {
    return this.number !== undefined && this.inside.nest(this.number).own !== null;
  }

  get children() {
    this.made ??= this.opens ? [...this.parts()] : [];
    return this.made;
  }

  *parts() {
    const before = this.path ? `${this.path}.` : "";
    for (const [word, leaf] of this.inside.nest(this.number).own) yield this.tensor(word, before + word, leaf);
    for (const [word, number] of this.inside.inner(this.number)) {
      const [words, last] = narrowed(this.inside, [word], number);
      const { own, inner } = this.inside.nest(last);
      if (own?.length === 1 && !inner.length) {
        const name = [...words, own[0][0]].join(".");
        yield this.tensor(name, before + name, own[0][1]);
      } else {
        const name = words.join(".");
        yield new Box(this.inside, name, before + name, this, { ...this.inside.nest(last), number: last });
      }
    }
  }

  tensor(label, path, number) {
    const leaf = this.inside.leaves[number];
    return new Box(this.inside, label, path, this, { tensors: 1, parameters: leaf.parameters, bytes: leaf.bytes, leaf });
  }

  // Bytes by category, the most first.
  categories(way) {
    if (this.leaf) return [[CATEGORIES[way](this.leaf), Number(this.bytes)]];
    if (this.number !== undefined) return sortedBySize(this.inside.bytesBy(way, this.number));
    if (this.path === HEADERS) return [[HEADERS, Number(this.bytes)]];
    const sums = new Map();
    for (const child of this.children) {
      for (const [category, bytes] of child.categories(way)) sums.set(category, (sums.get(category) ?? 0) + bytes);
    }
    return sortedBySize(sums);
  }

  // From the whole checkpoint down to this box.
  get way() {
    return this.above ? [...this.above.way, this] : [this];
  }

  // What a parameter takes, headers left aside.
  get bits() {
    return Number(this.parameters) ? (8 * Number(this.stored ?? this.bytes)) / Number(this.parameters) : null;
  }

  // In words, for those who listen and for a hover.
  get told() {
    const what = this.leaf ? this.leafText : this.tensors ? numberOf(this.tensors, "tensor") : "headers of the files";
    const share = this.above ? `${shareText(this.share, 1)} of ${this.above.label}` : "";
    const parameters = Number(this.parameters) ? numberOf(this.parameters, "parameter") : "";
    const bits = this.bits === null ? "" : `${this.bits.toFixed(2)} bits a parameter`;
    return [bytesText(this.bytes), share, parameters, bits, what].filter(Boolean);
  }

  get leafText() {
    return `${this.leaf.dtype} [${this.leaf.shape.join(", ")}] ${this.leaf.role}`;
  }
}

// The words that lead on where there is only one way, and the nest at their end.
function narrowed(inside, words, number) {
  const { own, inner } = inside.nest(number);
  if (own === null || own.length || inner.length !== 1 || isSeveral(inner[0][0])) return [words, number];
  const word = Array.isArray(inner[0][0]) ? String(inner[0][0][0]) : inner[0][0];
  return narrowed(inside, [...words, word], inner[0][1]);
}

function isSeveral(word) {
  return Array.isArray(word) && word[0] !== word[1];
}

function sortedBySize(sums) {
  return [...sums].sort(([one, size], [other, otherSize]) => otherSize - size || natural.compare(one, other));
}
