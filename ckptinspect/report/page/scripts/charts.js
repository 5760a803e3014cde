// What the charting library draws from data that stands in the page: it is there only if the page was written with it.

const library = globalThis.Plotly;

// The library reads a little markup in its texts: a name from a file must be none.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// What draws into a place: called at first, and again by itself when colours change or a page is printed.
function drawing(place, figure) {
  const options = { displayModeBar: false, responsive: true };
  const draw = () => {
    const { traces, layout } = figure();
    return library.react(place, traces, { ...pageLayout(), ...layout }, options);
  };
  onTheme.push(draw);
  addEventListener("beforeprint", () => library.relayout(place, { width: PAPER }));
  addEventListener("afterprint", () => library.relayout(place, { width: null, autosize: true }));
  return draw;
}

// Pixels that a page of paper is wide, between its margins.
const PAPER = 680;

function pageLayout() {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: pageColour("text") },
    margin: { l: 8, r: 8, t: 8, b: 8 },
    hoverlabel: { font: { family: "system-ui, sans-serif" }, align: "left" },
  };
}

function axis(more) {
  const lines = { gridcolor: pageColour("line"), zerolinecolor: pageColour("line"), automargin: true };
  return { fixedrange: true, ...lines, ...more };
}

function drawChart(place) {
  if (!library) return;
  const data = dataIn(place);
  const canvas = element("div", { class: "canvas", role: "img", "aria-label": `${data.title}: the table says the same` });
  place.append(canvas);
  place.hidden = false;
  drawing(canvas, () => FIGURES[place.dataset.chart](data))();
}

const FIGURES = {
  // An addition, line by line: each bar begins where the one above it ends, and what they come to begins at 0.
  waterfall({ lines }) {
    const rows = [...lines.keys()];
    const trace = {
      type: "waterfall",
      orientation: "h",
      x: lines.map(([value]) => value),
      y: rows,
      measure: lines.map(([, , , isTotal], row) => (isTotal ? "total" : row === 0 ? "absolute" : "relative")),
      text: lines.map(([, exact]) => exact),
      textposition: "auto",
      hoverinfo: "text",
      hovertext: lines.map(([, exact, what]) => plain(`${exact} ${what}`)),
      connector: { line: { color: pageColour("line"), width: 1 } },
      increasing: { marker: { color: PALETTE[2] } },
      decreasing: { marker: { color: PALETTE[4] } },
      totals: { marker: { color: PALETTE[0] } },
    };
    const names = { tickvals: rows, ticktext: lines.map(([, , what]) => wrapped(what)), autorange: "reversed" };
    const axes = { xaxis: axis({ exponentformat: "B" }), yaxis: axis({ ...names, showgrid: false }) };
    return { traces: [trace], layout: { height: 60 + 44 * rows.length, ...axes, showlegend: false } };
  },

  // Bytes on both sides, a pair of bars for each row.
  bars({ sides, rows }) {
    const traces = sides.map((side, index) => ({
      type: "bar",
      orientation: "h",
      name: side,
      x: rows.map(([, values]) => values[index]),
      y: [...rows.keys()],
      text: rows.map(([, values]) => bytesText(values[index])),
      textposition: "auto",
      hoverinfo: "text",
      hovertext: rows.map(([name, values]) => plain(`${name}, ${side}: ${bytesText(values[index])}`)),
      marker: { color: [GREY, PALETTE[0]][index] },
    }));
    const names = { tickvals: [...rows.keys()], ticktext: rows.map(([name]) => wrapped(name)), autorange: "reversed", showgrid: false };
    const layout = { height: 90 + 48 * rows.length, bargap: 0.25, legend: { orientation: "h", traceorder: "normal" } };
    return { traces, layout: { ...layout, xaxis: axis({ exponentformat: "SI", ticksuffix: "B" }), yaxis: axis(names) } };
  },
};

// A name on as many lines as a narrow page needs.
function wrapped(text, width = innerWidth < 600 ? 16 : 34) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length >= width) lines.push("");
    lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
  }
  return lines.map(plain).join("<br>");
}
