// Colours by what a box mostly holds. The same thing has the same colour in every report.

const PALETTE = [
  "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#edc948", "#9c755f",
  "#ff9da7", "#86bcb6", "#d37295", "#8cd17d", "#f1ce63", "#a0cbe8", "#d4a6c8", "#bab0ac",
];
const GREY = "#8a8f98";

const USUAL = {
  dtype: ["BF16", "F32", "F16", "F8_E4M3", "I32", "U8", "I8", "I64", "F64", "F8_E5M2", "F4", "F8_E8M0", "U32", "BOOL"],
  role: [
    "attention", "mlp", "embedding", "expert", "head", "norm", "router", "shared_expert",
    "conv", "ssm", "projector", "adapter", "other", "scale", "buffer",
  ],
};

// What a weight takes, from little to much; a range ends where it says, in bits.
const BITS = [
  [2.5, "up to 2.5 bits", "#440154"],
  [3.5, "2.5 to 3.5 bits", "#443983"],
  [5, "3.5 to 5 bits", "#31688e"],
  [10, "5 to 10 bits", "#21918c"],
  [20, "10 to 20 bits", "#35b779"],
  [40, "20 to 40 bits", "#90d743"],
  [Infinity, "over 40 bits", "#fde725"],
];
const NO_PARAMETERS = "no parameters";
const HEADERS = "[header]";

// What a tensor is filed under in each way of colouring.
const CATEGORIES = {
  dtype: (leaf) => leaf.dtype,
  role: (leaf) => leaf.role,
  bits: (leaf) => {
    if (!Number(leaf.parameters)) return NO_PARAMETERS;
    const bits = (8 * leaf.bytes) / leaf.parameters;
    return BITS.find(([most]) => bits <= most)[1];
  },
};

function colourOf(way, category) {
  if (category === NO_PARAMETERS || category === HEADERS) return GREY;
  if (way === "bits") return BITS.find(([, name]) => name === category)[2];
  const place = USUAL[way].indexOf(category);
  return PALETTE[place >= 0 ? place % PALETTE.length : PALETTE.length - 1];
}

// Black or white, whichever stands out more (contrast ratio of WCAG 2.2).
function legibleOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff";
}
