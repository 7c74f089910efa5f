// Draws learning curves as SVG: one panel per unit, a line per run and metric, values under the pointer.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 460, HEIGHT = 230, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 26;
  const NUM_COLOURS = 8, MAX_POINTS = 600, MAX_BANDS = 2;

  function make(name, attributes, parent, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  }

  function plain(name, className, parent, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
    return found;
  }

  function shown(value) {
    if (value === null) return "–";
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  }

  // Mean over the neighbours on both sides; gaps stay gaps.
  function smoothed(points, radius) {
    if (!radius) return points;
    return points.map(([x, y], i) => {
      if (y === null) return [x, y];
      const near = points.slice(Math.max(0, i - radius), i + radius + 1).map((p) => p[1]).filter((v) => v !== null);
      return [x, near.reduce((a, b) => a + b, 0) / near.length];
    });
  }

  function thinned(points) {
    const stride = Math.ceil(points.length / MAX_POINTS);
    return points.filter((_, i) => i % stride === 0 || i === points.length - 1);
  }

  function extent(panel) {
    const xs = [], ys = panel.is_share ? [0, 1] : [];
    for (const series of panel.series) {
      for (const [x, y] of series.points) { xs.push(x); if (y !== null) ys.push(y); }
    }
    const range = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    let [x0, x1] = range(xs), [y0, y1] = range(ys);
    if (!(x1 > x0)) { x0 -= 0.5; x1 += 0.5; }
    if (!Number.isFinite(y0)) { y0 = 0; y1 = 1; }
    if (y1 === y0) { y0 -= 0.5; y1 += 0.5; }
    // Intervals may be far wider than what they are about: they are cut where the panel ends.
    const hasBands = panel.series.length <= MAX_BANDS && panel.series.some(({ band }) => band.length > 1);
    const room = (panel.is_share ? 0.02 : hasBands ? 0.6 : 0.05) * (y1 - y0);
    return { x0, x1, y0: y0 - room, y1: y1 + room };
  }

  function label(series, panel) {
    const runs = new Set(panel.series.map((each) => each.run));
    const metrics = new Set(panel.series.map((each) => each.metric));
    if (runs.size > 1 && metrics.size > 1) return `${series.run}: ${series.metric}`;
    return runs.size > 1 ? series.run : series.metric;
  }

  function drawPanel(panel, radius, parent) {
    const figure = plain("figure", "panel", parent);
    plain("figcaption", "", figure, panel.title);
    const { x0, x1, y0, y1 } = extent(panel);
    const px = (x) => LEFT + (WIDTH - LEFT - RIGHT) * (x - x0) / (x1 - x0);
    const py = (y) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - y0) / (y1 - y0);
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": panel.title }, figure);
    for (const y of ticks(y0, y1, 5)) {
      make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: py(y), y2: py(y) }, svg);
      make("text", { class: "tick", x: LEFT - 6, y: py(y) + 3.5, "text-anchor": "end" }, svg, shown(Number(y.toPrecision(6))));
    }
    for (const x of ticks(x0, x1, 6)) {
      if (Number.isInteger(x)) make("text", { class: "tick", x: px(x), y: HEIGHT - 8, "text-anchor": "middle" }, svg, x);
    }
    const lines = panel.series.map((series, i) => ({ series, colour: i % NUM_COLOURS, points: smoothed(series.points, radius) }));
    if (lines.length <= MAX_BANDS) for (const { series, colour } of lines) {
      if (series.band.length < 2) continue;
      const upper = series.band.map(([x, , b]) => `${px(x)},${py(Math.max(y0, Math.min(b, y1)))}`);
      const lower = series.band.map(([x, a]) => `${px(x)},${py(Math.min(y1, Math.max(a, y0)))}`).reverse();
      make("polygon", { class: `band line-${colour}`, points: [...upper, ...lower].join(" ") }, svg);
    }
    for (const { colour, points } of lines) {
      const known = thinned(points).filter(([, y]) => y !== null);
      if (known.length === 1) make("circle", { class: `point line-${colour}`, cx: px(known[0][0]), cy: py(known[0][1]), r: 3 }, svg);
      else make("polyline", { class: `curve line-${colour}`, points: known.map(([x, y]) => `${px(x)},${py(y)}`).join(" ") }, svg);
    }
    const legend = plain("ul", "curve-legend", figure);
    const values = lines.map(({ series, colour, points }) => {
      const item = plain("li", `line-${colour}`, legend);
      plain("span", "dot", item);
      plain("span", "", item, label(series, panel));
      const last = points.length ? points[points.length - 1][1] : null;
      return { value: plain("b", "", item, shown(last)), last, byX: new Map(points) };
    });
    follow(svg, { x0, x1, px }, values);
  }

  function follow(svg, { x0, x1, px }, values) {
    const cursor = make("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" }, svg);
    const at = make("text", { class: "tick at", y: TOP + 8, visibility: "hidden" }, svg);
    const xs = [...new Set(values.flatMap(({ byX }) => [...byX.keys()]))].sort((a, b) => a - b);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = x0 + (x1 - x0) * ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
      const nearest = xs.reduce((best, each) => Math.abs(each - x) < Math.abs(best - x) ? each : best, xs[0]);
      if (nearest === undefined) return;
      for (const mark of [cursor, at]) mark.setAttribute("visibility", "visible");
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, px(nearest));
      const isRight = px(nearest) > WIDTH - 70;
      at.setAttribute("x", px(nearest) + (isRight ? -4 : 4));
      at.setAttribute("text-anchor", isRight ? "end" : "start");
      at.textContent = nearest;
      for (const { value, byX } of values) value.textContent = byX.has(nearest) ? shown(byX.get(nearest)) : "–";
    });
    svg.addEventListener("pointerleave", () => {
      for (const mark of [cursor, at]) mark.setAttribute("visibility", "hidden");
      for (const { value, last } of values) value.textContent = shown(last);
    });
  }

  function draw(target, data, radius) {
    target.replaceChildren();
    for (const panel of data.panels) if (panel.series.length) drawPanel(panel, radius, target);
    if (!target.children.length) plain("p", "empty", target, "No metric has been logged yet.");
  }

  window.nipCurves = { draw };
})();
