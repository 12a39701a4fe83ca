"use strict";
// All text from the run goes into the page as text nodes or attributes, never as markup.
const run = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function element(parent, tag, attributes = {}, text = "") {
  const svg = parent.namespaceURI === SVG || tag === "svg";
  const made = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== "") made.textContent = text;
  parent.append(made);
  return made;
}

const metres = (m) => (m === null ? "–" : `${m.toFixed(m < 10 ? 1 : 0)} m`);
const errorOf = (frame) => frame.centre_m ?? frame.vehicle_m;
const pathOf = (points) => {
  let pen = false;
  return points.map((p) => {
    if (!p) { pen = false; return ""; }
    const step = `${pen ? "L" : "M"}${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    pen = true;
    return step;
  }).join("");
};

function legend(id, entries) {
  for (const [colour, text] of entries) {
    const span = element(byId(id), "span");
    element(span, "i", { style: `background:${colour}` });
    span.append(text);
  }
}

function tipFor(node, text) {
  const tip = byId("tip");
  node.addEventListener("pointermove", (event) => {
    tip.textContent = text;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    Object.assign(tip.style, { left: `${left}px`, top: `${event.clientY + 14}px`, opacity: 1 });
  });
  node.addEventListener("pointerleave", () => { tip.style.opacity = 0; });
}

function describe(frame) {
  const said = frame.accepted ? `error ${metres(errorOf(frame))}` : `refused: ${frame.reason}`;
  return `${frame.name}  ${frame.t.toFixed(1)} s\n${said}`;
}

function openFrame(index) {
  const row = byId("frames").children[index];
  row.open = true;
  row.scrollIntoView({ behavior: "smooth", block: "center" });
}

function mark(parent, frame, index, x, y, size) {
  const node = frame.accepted
    ? element(parent, "circle", { class: "fix", cx: x, cy: y, r: size })
    : element(parent, "path", {
        class: "refused", "stroke-width": size / 2,
        d: `M${x - size} ${y - size}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}`,
      });
  node.style.cursor = "pointer";
  node.addEventListener("click", () => openFrame(index));
  tipFor(node, describe(frame));
}

function drawHeader() {
  const { pack } = run;
  byId("pack").textContent =
    `Map ${pack.name}, levels ${pack.levels.join(", ")}, model ${pack.model}; imagery: ${pack.imagery.join("; ")}` +
    `; map error: ${pack.map_error}` +
    (pack.terrain ? `; terrain: ${pack.terrain}` : "") +
    `. ${pack.credits.length ? `© ${pack.credits.join("; ")}` : "Licence of the imagery unknown"}`;
  for (const note of run.notes) element(byId("notes"), "li", {}, note);
  const accepted = run.frames.filter((f) => f.accepted).length;
  const errors = run.frames.filter((f) => f.accepted).map(errorOf).filter((e) => e !== null);
  errors.sort((a, b) => a - b);
  const kind = run.frames.some((f) => f.centre_m !== null) ? "picture's centre" : "position";
  const figures = [[`${accepted} of ${run.frames.length}`, "frames gave a fix"]];
  if (errors.length) {
    figures.push([metres(errors[Math.floor((errors.length - 1) / 2)]), `median error of fixes, ${kind}`]);
    figures.push([metres(errors[errors.length - 1]), `largest error of fixes, ${kind}`]);
  }
  if (run.track.length) {
    const held = run.track.filter((p) => p.xy).length;
    figures.push([`${Math.round((100 * held) / run.track.length)} %`, "of the time with a position"]);
  }
  for (const [figure, what] of figures) {
    const tile = element(byId("tiles"), "div");
    element(tile, "b", {}, figure);
    element(tile, "span", {}, what);
  }
  for (const [what, figure] of run.summary) {
    const row = element(byId("summary"), "tr");
    element(row, "td", {}, what);
    element(row, "td", {}, figure);
  }
}

function drawMap() {
  const { overview } = run;
  const svg = element(byId("map"), "svg", { role: "img", "aria-label": "Map with tracks" });
  let box = { x: 0, y: 0, w: overview.width, h: overview.height };
  element(svg, "image", {
    href: `data:image/jpeg;base64,${overview.jpeg}`, width: overview.width, height: overview.height,
  });
  const layer = element(svg, "g");
  const scaleBar = element(svg, "g");
  const draw = () => {
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
    const px = Math.max(box.w / (svg.clientWidth || 1000), box.h / (svg.clientHeight || 600));
    layer.replaceChildren();
    const line = (cls, points, width) =>
      element(layer, "path", { class: cls, d: pathOf(points), "stroke-width": width * px, "stroke-linejoin": "round" });
    line("truth", run.truth.map((p) => p.slice(1)), 3);
    line("estimate", run.track.map((p) => p.xy), 2);
    run.frames.forEach((f, i) => { if (f.xy.length) mark(layer, f, i, f.xy[0], f.xy[1], 5 * px); });
    drawScale(scaleBar, box, px);
  };
  const zoom = (factor, x, y) => {
    const w = Math.min(overview.width * 1.5, Math.max(40, box.w * factor));
    const ratio = w / box.w;
    box = { x: x - (x - box.x) * ratio, y: y - (y - box.y) * ratio, w, h: box.h * ratio };
    draw();
  };
  const at = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const p = at(event);
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, p.x, p.y);
  }, { passive: false });
  let held = null;
  svg.addEventListener("pointerdown", (event) => { held = at(event); });
  window.addEventListener("pointerup", () => { held = null; });
  svg.addEventListener("pointermove", (event) => {
    if (!held) return;
    const p = at(event);
    box = { ...box, x: box.x + held.x - p.x, y: box.y + held.y - p.y };
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
  });
  draw();
  legend("map-legend", [["var(--truth)", "true or recorded"], ...(run.track.length ? [["var(--estimate)", "estimated"]] : []),
    ["var(--good)", "fix"], ["var(--bad)", "refused frame, at its true position"]]);
}

function drawScale(group, box, px) {
  group.replaceChildren();
  const length = niceStep((box.w * run.overview.m_per_px) / 4, 1);
  const w = length / run.overview.m_per_px;
  const x = box.x + 14 * px, y = box.y + box.h - 16 * px;
  element(group, "rect", { x: x - 6 * px, y: y - 20 * px, width: w + 12 * px, height: 28 * px, fill: "#000a" });
  element(group, "path", { d: `M${x} ${y}h${w}`, stroke: "#fff", "stroke-width": 3 * px });
  element(group, "text", { x, y: y - 6 * px, style: `font-size:${12 * px}px;fill:#fff` }, `${length} m`);
}

function niceStep(range, count) {
  const rough = Math.max(range, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= rough * 0.999);
}

function chart(id, xMax, yMax, xUnit, yUnit, label) {
  const w = 560, h = 280, left = 46, right = 12, top = 10, bottom = 34;
  const svg = element(byId(id), "svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label });
  const x = (v) => left + (v / xMax) * (w - left - right);
  const y = (v) => h - bottom - (Math.min(v, yMax) / yMax) * (h - top - bottom);
  const tick = (v) => `${+v.toPrecision(6)}`;
  for (let v = 0, step = niceStep(yMax, 5); v <= yMax * 1.001; v += step) {
    element(svg, "path", { class: "grid", d: `M${left} ${y(v)}H${w - right}` });
    element(svg, "text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, tick(v));
  }
  for (let v = 0, step = niceStep(xMax, 6); v <= xMax * 1.001; v += step) {
    element(svg, "text", { x: x(v), y: h - bottom + 16, "text-anchor": "middle" }, tick(v));
  }
  element(svg, "text", { x: w - right, y: h - 3, "text-anchor": "end" }, xUnit);
  element(svg, "text", { x: 2, y: 10 }, yUnit);
  return { svg, x, y, bottom: h - bottom, top };
}

function unbroken(points, holds) {
  const parts = [];
  let open = null;
  for (const point of points) {
    if (!holds(point)) { open = null; continue; }
    if (!open) parts.push((open = []));
    open.push(point);
  }
  return parts;
}

function drawTime() {
  // Beside an estimate of the position, a fix is judged by its position, too.
  const errorOf = (f) => (run.track.length ? f.vehicle_m : f.centre_m ?? f.vehicle_m);
  const known = [...run.track.map((p) => p.error_m), ...run.frames.map(errorOf)].filter((e) => e !== null);
  if (!known.length) return element(byId("time"), "p", { class: "none" }, "No truth to compare with.");
  known.sort((a, b) => a - b);
  // One wild fix must not press all the others onto the axis; its mark stays at the upper edge.
  const yMax = Math.max(2, Math.min(known[known.length - 1], 3 * known[Math.floor(known.length * 0.95)]) * 1.1);
  const xMax = Math.max(1, ...run.frames.map((f) => f.t), ...run.track.map((p) => p.t));
  const c = chart("time", xMax, yMax, "s", "m", "Error over time");
  for (const part of unbroken(run.track, (p) => p.bound_m !== null)) {
    const edge = part.map((p) => `${c.x(p.t).toFixed(1)} ${c.y(p.bound_m).toFixed(1)}`);
    element(c.svg, "path", { class: "bound", d: `M${c.x(part[0].t)} ${c.bottom}L${edge.join("L")}L${c.x(part[part.length - 1].t)} ${c.bottom}Z` });
  }
  element(c.svg, "path", { class: "estimate", "stroke-width": 2, d: pathOf(run.track.map((p) => (p.error_m === null ? null : [c.x(p.t), c.y(p.error_m)]))) });
  if (run.gnss_lost_s !== null) {
    element(c.svg, "path", { class: "lost", d: `M${c.x(run.gnss_lost_s)} ${c.top}V${c.bottom}` });
    element(c.svg, "text", { x: c.x(run.gnss_lost_s) + 4, y: c.top + 10 }, "GNSS lost");
  }
  run.frames.forEach((f, i) => {
    if (!f.accepted) mark(c.svg, f, i, c.x(f.t), c.bottom - 5, 4);
    else if (errorOf(f) !== null) mark(c.svg, f, i, c.x(f.t), c.y(errorOf(f)), 4);
  });
  legend("time-legend", [["var(--good)", run.track.length ? "position of a fix" : "fix"], ["var(--bad)", "refused"],
    ...(run.track.length ? [["var(--estimate)", "estimate at 10 Hz"], ["var(--bound)", "its 95 % bound"]] : [])]);
}

function drawCdf() {
  const sorted = (values) => values.filter((v) => v !== null).sort((a, b) => a - b);
  const series = [
    ["var(--good)", "fix, centre of picture", sorted(run.frames.map((f) => f.centre_m))],
    ["var(--truth)", "fix, position", sorted(run.frames.map((f) => f.vehicle_m))],
    ["var(--estimate)", "estimate at 10 Hz", sorted(run.track.map((p) => p.error_m))],
  ].filter(([, , values]) => values.length);
  if (!series.length) return element(byId("cdf"), "p", { class: "none" }, "No truth to compare with.");
  const xMax = Math.max(2, ...series.map(([, , v]) => Math.min(v[v.length - 1], 3 * v[Math.floor(v.length * 0.95)]) * 1.05));
  const c = chart("cdf", xMax, 100, "m", "%", "Share of errors below");
  for (const [colour, , values] of series) {
    const steps = [[c.x(0), c.y(0)]];
    values.filter((v) => v <= xMax).forEach((v, i) => {
      steps.push([c.x(v), steps[steps.length - 1][1]], [c.x(v), c.y((100 * (i + 1)) / values.length)]);
    });
    steps.push([c.x(xMax), steps[steps.length - 1][1]]);
    element(c.svg, "path", { d: pathOf(steps), stroke: colour, fill: "none", "stroke-width": 2 });
  }
  legend("cdf-legend", series.map(([colour, name]) => [colour, name]));
}

function drawBars() {
  const bar = (id, name, figure, parts) => {
    element(byId(id), "span", {}, name);
    const rail = element(byId(id), "div", { class: "bar" });
    for (const [cls, share] of parts) element(rail, "i", { class: cls, style: `width:${100 * share}%` });
    element(byId(id), "span", {}, figure);
  };
  const counts = Object.entries(run.refusals);
  for (const [reason, n] of counts) bar("refusals", reason, `${n}`, [["no", n / Math.max(...Object.values(run.refusals))]]);
  if (!counts.length) element(byId("refusals"), "span", { class: "none" }, "None.");
  const longest = Math.max(...run.latency.map((s) => s.p95));
  for (const s of run.latency) {
    bar("latency", s.stage, `${s.median.toFixed(1)} / ${s.p95.toFixed(1)} ms`, [["tail", s.p95 / longest], ["", s.median / longest]]);
  }
  if (!run.latency.length) element(byId("latency"), "span", { class: "none" }, "No frame got that far.");
}

function drawFrames() {
  for (const frame of run.frames) {
    const row = element(byId("frames"), "details");
    const head = element(row, "summary");
    element(head, "i", frame.accepted ? { class: "yes" } : {});
    element(head, "b", {}, frame.name);
    element(head, "span", { class: "wide" }, `${frame.t.toFixed(1)} s`);
    element(head, "span", {}, frame.accepted ? `error ${metres(errorOf(frame))}` : frame.reason);
    element(head, "span", { class: "wide" }, frame.accepted ? `${frame.inliers} inliers` : frame.stage);
    element(head, "span", { class: "wide" }, frame.latency_ms === null ? "" : `${frame.latency_ms.toFixed(0)} ms`);
    // Pictures are made when a frame is first opened: hundreds at once would be slow.
    row.addEventListener("toggle", () => fillFrame(row, frame), { once: true });
  }
}

function fillFrame(row, frame) {
  const body = element(row, "div", { class: "opened" });
  const picture = (data, caption) => {
    if (!data) return;
    const figure = element(body, "figure");
    element(figure, "img", { src: `data:image/jpeg;base64,${data}`, alt: caption });
    element(figure, "figcaption", {}, caption);
  };
  picture(frame.view, "view, north up");
  picture(frame.map, frame.accepted ? "map where it was found" : "best candidate of the map");
  const lines = frame.accepted
    ? [`position ${frame.lat}, ${frame.lon}`, `protection ${metres(frame.protection_m)}`,
       `error of the picture's centre ${metres(frame.centre_m)}`, `error against the position ${metres(frame.vehicle_m)}`]
    : [`refused by ${frame.stage}: ${frame.reason}`, frame.detail];
  const text = element(body, "div");
  for (const line of lines) if (line) element(text, "p", {}, line);
}

drawHeader();
drawMap();
drawTime();
drawCdf();
drawBars();
drawFrames();
