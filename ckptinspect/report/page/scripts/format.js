// How numbers are written: as ckptinspect.text writes them.

const counts = new Intl.NumberFormat("en-US");

// A whole number with separators; one that JSON could not hold exactly comes as text.
function countText(value) {
  return counts.format(typeof value === "string" ? BigInt(value) : value);
}

const BYTE_UNITS = [" B", " kB", " MB", " GB", " TB", " PB", " EB"];
const COUNT_UNITS = ["", "K", "M", "B", "T"];

// Decimal units, two digits behind the point: 16.06 GB.
function bytesText(value) {
  return scaled(BigInt(value), BYTE_UNITS);
}

function shortCountText(value) {
  return scaled(BigInt(value), COUNT_UNITS);
}

// By whole numbers, so that halves are rounded as in the report's other formats.
function scaled(value, units) {
  if (value < 0n) return `-${scaled(-value, units)}`;
  let [base, power] = [1n, 0];
  while (power + 1 < units.length && value >= base * 1000n) [base, power] = [base * 1000n, power + 1];
  if (power === 0) return `${value}${units[0]}`;
  const hundredths = (value * 100n + base / 2n) / base;
  if (hundredths >= 100_000n && power + 1 < units.length) return `1.00${units[power + 1]}`;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}${units[power]}`;
}

function shareText(part, whole) {
  return `${(whole ? (100 * part) / whole : 0).toFixed(2)} %`;
}

function numberOf(count, noun) {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}
