// Which of some rectangles lies next to another one.

// A rectangle seen along the way that one goes: where it begins and ends on that way, and how wide it is across.
function along(rect, [across]) {
  const [begin, end, low, high] = across
    ? [rect.left, rect.right, rect.top, rect.bottom]
    : [rect.top, rect.bottom, rect.left, rect.right];
  return { begin, end, low, high };
}

// Rectangles that touch may overlap by so many pixels.
const SLACK = 4;

// The key of the nearest rectangle in the direction of a step, [1, 0] being right and [0, 1] down; null where there is
// none. Of those as near, it is the one that begins most nearly beside this one.
function nearest(places, key, step) {
  const from = along(places.get(key), step);
  const forward = step[0] + step[1] > 0;
  let best = null;
  for (const [other, rect] of places) {
    const to = along(rect, step);
    const gap = forward ? to.begin - from.end : from.begin - to.end;
    const isBeside = to.low < from.high && to.high > from.low;
    if (other === key || gap < -SLACK || !isBeside) continue;
    const cost = gap + Math.abs(to.low - from.low) / 1000;
    if (!best || cost < best.cost) best = { other, cost };
  }
  return best && best.other;
}
