// A slippy map on a canvas: the pack's tiles, tracks, positions. Web Mercator, world from 0 to 1.
"use strict";

const TILE = 256, KEPT_TILES = 300, MAX_LOADING = 6, EARTH_M = 40075016.686;
const COLOURS = { estimate: "#ff9d4d", autopilot: "#d9a6ff", gnss0: "#62b4ff", gnss1: "#3ce0d0", gnss2: "#8fd3ff", gnss3: "#5f8dff" };

function world(latDeg, lonDeg) {
  const s = Math.sin(latDeg * Math.PI / 180);
  return [lonDeg / 360 + 0.5, 0.5 - Math.atanh(s) / (2 * Math.PI)];
}
function metresPerWorld(y) {  // along east, at this height of the map
  return EARTH_M / Math.cosh(Math.PI * (1 - 2 * y));
}

class GroundMap {
  constructor(canvas, info) {
    this.canvas = canvas; this.info = info; this.tiles = new Map(); this.loading = 0;
    this.tracks = {}; this.state = null; this.follow = true; this.waiting = false;
    this.onFollow = () => {};
    const [south, west, north, east] = info.bounds;
    [this.left, this.bottom] = world(south, west); [this.right, this.top] = world(north, east);
    this.x = (this.left + this.right) / 2; this.y = (this.top + this.bottom) / 2;
    this.zoom = 0; this.fitted = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen(); this.resize();
  }
  resize() {
    const box = this.canvas.getBoundingClientRect(), dense = window.devicePixelRatio || 1;
    this.width = box.width; this.height = box.height; this.dense = dense;
    this.canvas.width = Math.round(box.width * dense); this.canvas.height = Math.round(box.height * dense);
    if (!this.fitted && box.width > 0) {
      const share = Math.max((this.right - this.left) / box.width, (this.bottom - this.top) / box.height);
      this.zoom = this.bounded(Math.log2(1 / (share * TILE)) - 0.1); this.fitted = true;
    }
    this.redraw();
  }
  bounded(zoom) { return Math.min(Math.max(...this.info.levels) + 3, Math.max(this.info.lowest_level - 2, zoom)); }
  get scale() { return TILE * 2 ** this.zoom; }  // pixels per world
  px(x, y) { return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2]; }
  at(latDeg, lonDeg) { return this.px(...world(latDeg, lonDeg)); }

  zoomBy(steps, px = this.width / 2, py = this.height / 2) {
    const before = this.scale, zoom = this.bounded(this.zoom + steps);
    const dx = px - this.width / 2, dy = py - this.height / 2;
    this.zoom = zoom;
    if (!this.follow) { this.x += dx / before - dx / this.scale; this.y += dy / before - dy / this.scale; }
    this.redraw();
  }
  panBy(dx, dy) { this.x -= dx / this.scale; this.y -= dy / this.scale; this.setFollow(false); this.redraw(); }
  setFollow(follow) { if (follow !== this.follow) { this.follow = follow; this.onFollow(follow); this.redraw(); } }

  listen() {
    const held = new Map(), c = this.canvas;
    c.addEventListener("pointerdown", e => { c.setPointerCapture(e.pointerId); held.set(e.pointerId, [e.offsetX, e.offsetY]); });
    c.addEventListener("pointermove", e => {
      if (!held.has(e.pointerId)) return;
      const [x, y] = held.get(e.pointerId), now = [e.offsetX, e.offsetY];
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== e.pointerId)[1];
        const before = Math.hypot(x - other[0], y - other[1]), after = Math.hypot(now[0] - other[0], now[1] - other[1]);
        if (before > 0 && after > 0) this.zoomBy(Math.log2(after / before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      this.panBy((now[0] - x) / held.size, (now[1] - y) / held.size);
      held.set(e.pointerId, now);
    });
    for (const end of ["pointerup", "pointercancel"]) c.addEventListener(end, e => held.delete(e.pointerId));
    c.addEventListener("wheel", e => { e.preventDefault(); this.zoomBy(-Math.sign(e.deltaY) * 0.5, e.offsetX, e.offsetY); }, { passive: false });
    c.addEventListener("keydown", e => {
      const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
      if (step) { e.preventDefault(); this.panBy(...step); }
      if (e.key === "+") this.zoomBy(0.5);
      if (e.key === "-") this.zoomBy(-0.5);
    });
  }

  show(state) { this.state = state; this.redraw(); }
  addTracks(tracks) {
    for (const [name, t] of Object.entries(tracks)) {
      const had = this.tracks[name] || { thinned: 0, points: [] };
      const kept = had.thinned === t.thinned ? had.points.slice(0, t.first) : [];
      const more = t.points.map(([lat, lon, begins]) => [...world(lat, lon), begins]);
      this.tracks[name] = { thinned: t.thinned, points: kept.concat(more) };
    }
    this.redraw();
  }
  held() { return Object.entries(this.tracks).map(([n, t]) => `${n}=${t.thinned}.${t.points.length}`).join("&"); }

  tile(level, x, y) {
    const key = `${level}/${x}/${y}`;
    let kept = this.tiles.get(key);
    if (kept) { this.tiles.delete(key); this.tiles.set(key, kept); return kept; }
    if (this.loading >= MAX_LOADING) return null;
    const image = new Image();
    kept = { image, done: false };
    this.tiles.set(key, kept); this.loading++;
    const end = good => { this.loading--; kept.done = good; this.redraw(); };
    image.onload = () => end(true); image.onerror = () => end(false);
    image.src = `/tiles/${key}`;
    if (this.tiles.size > KEPT_TILES) this.tiles.delete(this.tiles.keys().next().value);
    return kept;
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }
  draw() {
    const g = this.canvas.getContext("2d"), at = this.followed();
    if (this.follow && at) [this.x, this.y] = at;
    g.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    this.drawTiles(g);
    const [l, t] = this.px(this.left, this.top), [r, b] = this.px(this.right, this.bottom);
    g.strokeStyle = "#a9b6c0"; g.lineWidth = 1; g.setLineDash([6, 6]); g.strokeRect(l, t, r - l, b - t); g.setLineDash([]);
    for (const name of Object.keys(this.tracks)) if (name !== "estimate") this.drawTrack(g, name);
    if (this.tracks.estimate) this.drawTrack(g, "estimate");
    if (this.state) this.drawState(g);
    this.drawScale(g);
  }
  followed() {
    const s = this.state, p = s && (s.estimate || s.autopilot || s.gnss.receivers.find(r => r.has_fix));
    return p && p.lat_deg !== null && (p.lat_deg || p.lon_deg) ? world(p.lat_deg, p.lon_deg) : null;
  }
  drawTiles(g) {
    const levels = []; for (let z = this.info.lowest_level; z <= Math.max(...this.info.levels); z++) levels.push(z);
    const wanted = Math.round(this.zoom + Math.log2(this.dense));
    const level = levels.reduce((best, z) => Math.abs(z - wanted) < Math.abs(best - wanted) ? z : best, levels[0]);
    if (wanted < level - 2) return;
    const n = 2 ** level, step = this.scale / n;
    const clip = (v, lo, hi) => Math.min(Math.max(v, lo), hi);
    const x0 = Math.floor(clip(this.x - this.width / 2 / this.scale, this.left, this.right) * n);
    const x1 = Math.floor(clip(this.x + this.width / 2 / this.scale, this.left, this.right) * n);
    const y0 = Math.floor(clip(this.y - this.height / 2 / this.scale, this.top, this.bottom) * n);
    const y1 = Math.floor(clip(this.y + this.height / 2 / this.scale, this.top, this.bottom) * n);
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) {
      const [px, py] = this.px(x / n, y / n), tile = this.tile(level, x, y);
      if (tile && tile.done) g.drawImage(tile.image, px, py, step + 0.5, step + 0.5);
      else this.drawCoarser(g, level, x, y, px, py, step);
    }
  }
  drawCoarser(g, level, x, y, px, py, step) {  // while the right one loads
    for (let up = 1; up <= 3; up++) {
      const part = 2 ** up, had = this.tiles.get(`${level - up}/${Math.floor(x / part)}/${Math.floor(y / part)}`);
      if (had && had.done) {
        const side = TILE / part;
        g.drawImage(had.image, (x % part) * side, (y % part) * side, side, side, px, py, step + 0.5, step + 0.5);
        return;
      }
    }
  }
  drawTrack(g, name) {
    g.lineJoin = "round"; g.lineCap = "round";
    for (const [colour, width] of [["#000000b0", 5], [COLOURS[name] || "#fff", 2.5]]) {
      g.strokeStyle = colour; g.lineWidth = width; g.beginPath();
      for (const [x, y, begins] of this.tracks[name].points) {
        const [px, py] = this.px(x, y);
        if (begins) { g.moveTo(px, py); g.lineTo(px, py); } else g.lineTo(px, py);
      }
      g.stroke();
    }
  }
  drawState(g) {
    const s = this.state;
    for (const r of s.gnss.receivers) if (r.has_fix && r.lat_deg) this.dot(g, this.at(r.lat_deg, r.lon_deg), COLOURS[`gnss${r.receiver}`] || "#fff", 6);
    if (s.autopilot && s.autopilot.lat_deg) this.dot(g, this.at(s.autopilot.lat_deg, s.autopilot.lon_deg), COLOURS.autopilot, 6);
    if (s.frame && s.frame.fix && s.frame.fix.lat_deg) this.cross(g, this.at(s.frame.fix.lat_deg, s.frame.fix.lon_deg));
    const e = s.estimate;
    if (!e || e.lat_deg === null) return;
    const [px, py] = this.at(e.lat_deg, e.lon_deg), y = world(e.lat_deg, e.lon_deg)[1];
    const pxPerM = this.scale / metresPerWorld(y);
    g.lineWidth = 2;
    if (e.protection_m !== null) {
      g.beginPath(); g.arc(px, py, e.protection_m * pxPerM, 0, 2 * Math.PI);
      g.fillStyle = "#ff9d4d22"; g.fill(); g.strokeStyle = COLOURS.estimate; g.setLineDash([8, 5]); g.stroke(); g.setLineDash([]);
    }
    const [along, across, turn] = e.ellipse_95;
    if (along !== null) {
      g.beginPath(); g.ellipse(px, py, along * pxPerM, across * pxPerM, -turn, 0, 2 * Math.PI);
      g.strokeStyle = COLOURS.estimate; g.stroke();
    }
    const east = e.velocity_east_m_s, north = e.velocity_north_m_s;
    if (Math.hypot(east, north) > 0.5) this.arrow(g, px, py, Math.atan2(east, north));
    else this.dot(g, [px, py], COLOURS.estimate, 7);
  }
  dot(g, [x, y], colour, r) {
    g.beginPath(); g.arc(x, y, r, 0, 2 * Math.PI); g.fillStyle = colour; g.fill();
    g.lineWidth = 2; g.strokeStyle = "#000"; g.stroke();
  }
  cross(g, [x, y]) {
    for (const [colour, width] of [["#000", 5], ["#4fd796", 2.5]]) {
      g.strokeStyle = colour; g.lineWidth = width; g.beginPath();
      g.moveTo(x - 7, y); g.lineTo(x + 7, y); g.moveTo(x, y - 7); g.lineTo(x, y + 7); g.stroke();
    }
  }
  arrow(g, x, y, heading) {
    g.save(); g.translate(x, y); g.rotate(heading); g.beginPath();
    g.moveTo(0, -14); g.lineTo(9, 10); g.lineTo(0, 5); g.lineTo(-9, 10); g.closePath();
    g.fillStyle = COLOURS.estimate; g.fill(); g.lineWidth = 2; g.strokeStyle = "#000"; g.stroke(); g.restore();
  }
  drawScale(g) {
    const mPerPx = metresPerWorld(this.y) / this.scale, most = mPerPx * 120, ten = 10 ** Math.floor(Math.log10(most));
    const metres = [5, 2, 1].map(f => f * ten).find(m => m <= most), wide = metres / mPerPx;
    const x = 10, y = this.height - 12;
    for (const [colour, width] of [["#000", 5], ["#fff", 2]]) {
      g.strokeStyle = colour; g.lineWidth = width; g.beginPath();
      g.moveTo(x, y - 6); g.lineTo(x, y); g.lineTo(x + wide, y); g.lineTo(x + wide, y - 6); g.stroke();
    }
    g.font = "600 13px system-ui, sans-serif"; g.lineWidth = 3; g.strokeStyle = "#000"; g.fillStyle = "#fff";
    const said = metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
    g.strokeText(said, x + 6, y - 6); g.fillText(said, x + 6, y - 6);
  }
}
