// All that a checkpoint holds, from data in which modules that are alike stand once: see inside.py.

class Inside {
  constructor(data) {
    this.data = data;
    this.leaves = data.leaves.map(([dtype, role, meaning, shape, parameters, bytes]) => ({
      dtype: data.dtypes[dtype],
      role: data.roles[role],
      meaning: data.meanings[meaning],
      shape,
      parameters,
      bytes,
    }));
    this.sums = new Map();
  }

  nest(number) {
    const [tensors, parameters, bytes, own, inner] = this.data.nests[number];
    return { tensors, parameters, bytes, own, inner };
  }

  // The modules in a nest, each by its own word; numbers in a row are written out.
  *inner(number) {
    for (const [word, inner] of this.nest(number).inner ?? []) {
      if (!Array.isArray(word)) {
        yield [word, inner];
        continue;
      }
      for (let index = word[0]; index <= word[1]; index += 1) yield [String(index), inner];
    }
  }

  // How many bytes a nest has of each category, in one way of colouring.
  bytesBy(way, number) {
    const key = `${way} ${number}`;
    if (this.sums.has(key)) return this.sums.get(key);
    const sums = new Map();
    const add = (category, bytes) => sums.set(category, (sums.get(category) ?? 0) + bytes);
    const { own, inner } = this.nest(number);
    for (const [, leaf] of own ?? []) add(CATEGORIES[way](this.leaves[leaf]), Number(this.leaves[leaf].bytes));
    for (const [word, nest] of inner ?? []) {
      const times = Array.isArray(word) ? word[1] - word[0] + 1 : 1;
      for (const [category, bytes] of this.bytesBy(way, nest)) add(category, times * bytes);
    }
    this.sums.set(key, sums);
    return sums;
  }

  // Every tensor: its module, its full name, what it is, and the file that it stands in.
  *tensors() {
    const files = this.files();
    for (const [module, nest] of this.data.modules) yield* this.below(nest, "", module, files);
  }

  *below(number, above, module, files) {
    const { own } = this.nest(number);
    for (const [word, leaf] of own ?? []) {
      yield { name: above + word, module, leaf: this.leaves[leaf], file: files.next().value };
    }
    for (const [word, inner] of this.inner(number)) yield* this.below(inner, `${above}${word}.`, module, files);
  }

  *files() {
    const { where, files } = this.data;
    for (let at = 0; at < where.length; at += 2) {
      for (let left = where[at + 1]; left; left -= 1) yield files[where[at]];
    }
  }

  // Whether every tensor can be told; where hardly any are alike, there was no room for all.
  get isWhole() {
    return this.data.nests.every(([, , , own]) => own !== null);
  }
}
