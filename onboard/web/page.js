// Asks for the status a few times a second and shows it. Nothing is ever sent to the aircraft.
"use strict";

const PERIOD_MS = 400, TRACKS_EVERY = 3, SLOWEST_MS = 8000;
const NAMES = { estimate: "Pilotage", gnss0: "GNSS", gnss1: "GNSS 2", gnss2: "GNSS 3", gnss3: "GNSS 4", autopilot: "autopilot" };
const MODE = { tracking: "good", coasting: "warn", lost: "bad" };
const GNSS = { good: "good", degraded: "warn", lost: "bad", jammed: "bad", spoofed: "bad", unknown: "" };
const FIX_TYPES = ["no receiver", "no fix", "2D", "3D", "DGPS", "RTK float", "RTK fixed", "static", "PPP"];
const HEIGHT_FROM = {  // what onboard/ground and onboard/autopilot/heights.py call their sources
  "map terrain": "height above sea level and the map's terrain", rangefinder: "rangefinder",
  clearance: "the autopilot's clearance", terrain: "the autopilot's terrain",
  home: "height above home, as if all ground were level with it", barometer: "barometer",
};
const $ = id => document.getElementById(id);

function element(kind, text, cls) {
  const e = document.createElement(kind);
  if (text !== undefined) e.textContent = text;
  if (cls) e.className = cls;
  return e;
}
function fill(parent, children) { parent.replaceChildren(...children); }
function row(...cells) {
  const tr = element("tr");
  tr.append(...cells.map(c => c instanceof Node ? c : element("td", c)));
  return tr;
}
function said(...parts) {  // [text, class], one behind another
  const td = element("td");
  td.append(...parts.flatMap(([text, cls]) => text ? [element("span", text, cls), " "] : []));
  return td;
}
const words = text => text.replaceAll("_", " ");
function seconds(s) {
  if (s === null || s === undefined) return "-";
  if (s < 0) s = 0;
  return s < 10 ? `${s.toFixed(1)} s` : s < 120 ? `${s.toFixed(0)} s` : `${Math.floor(s / 60)} min`;
}
const number = (v, digits, unit) => v === null || v === undefined ? "-" : `${v.toFixed(digits)} ${unit}`;
function strip(id, text, cls = "") { $(id).textContent = text; $(id).parentElement.className = cls; }

function showStrip(s) {
  const e = s.estimate;
  strip("mode", s.mode, s.flying ? MODE[s.mode] : "");
  strip("gnss", s.gnss.state, s.flying ? GNSS[s.gnss.state] : "");
  const age = e && e.fix_age_s;
  strip("age", e ? seconds(age) : "-", !e ? "" : age < 3 ? "good" : age < 15 ? "warn" : "bad");
  strip("protection", e ? number(e.protection_m, 0, "m") : "-");
  strip("speed", e && e.velocity_measured ? number(Math.hypot(e.velocity_east_m_s, e.velocity_north_m_s), 1, "m/s") : "-");
}
function showConnection(s) {
  const c = $("connection");
  if (s.silent_s === null) { c.textContent = "waiting for the flight"; c.className = "warn"; }
  else if (!s.flying) { c.textContent = `flight silent for ${seconds(s.silent_s)}`; c.className = "bad"; }
  else { c.textContent = "live"; c.className = "good"; }
  const v = s.vehicle;
  $("vehicle").textContent = v ? `${v.autopilot} ${v.kind}, ${v.flight_mode}, ${v.armed ? "armed" : "disarmed"}` +
    (v.age_s > 3 ? `, silent for ${seconds(v.age_s)}` : "") : "no autopilot heard";
}
let shownPair = -1;
function showFrame(s) {
  const p = s.pictured, f = s.frame;
  if (p && p.number !== shownPair) { $("pair").src = `/pair.jpg?n=${p.number}`; $("pair").hidden = false; shownPair = p.number; }
  $("viewed").textContent = p ? `view, ${seconds(p.age_s)} ago` : "no picture yet";
  $("matched").textContent = !p ? "" : { match: "map where it matched", candidate: "nearest tile, no match", nothing: "nothing to compare with" }[p.shown];
  fill($("frame"), !f ? [] : f.fix
    ? [element("span", "fix", "good"), ` from ${f.fix.inliers} patches, error at most ${number(f.fix.protection_m, 0, "m")}`]
    : [element("span", words(f.refusal.reason), "warn"), ` (${f.refusal.stage}): ${f.refusal.detail}`]);
}
function showHeight(s) {
  const h = s.frame && s.frame.height, rows = [];
  if (h) {
    const differs = h.rangefinder_differs_m;
    rows.push(row("above ground", `${number(h.agl_m, 0, "m")}, one sigma ${number(h.sigma_m, 1, "m")}` + (s.frame.age_s > 3 ? `, ${seconds(s.frame.age_s)} ago` : "")));
    rows.push(row("from", HEIGHT_FROM[h.source] || h.source));
    if (h.ground_amsl_m !== null) rows.push(row("ground below", `${number(h.ground_amsl_m, 0, "m")} above sea level`));
    if (h.bias_m !== null) rows.push(row("taken off", `${number(h.bias_m, 1, "m")}, by which barometer and terrain disagree`));
    if (differs !== null) rows.push(row("rangefinder", `terrain says ${number(Math.abs(differs), 1, "m")} ${differs < 0 ? "less" : "more"}`));
    if (h.problem) rows.push(row("problem", element("td", h.problem, "bad")));
  }
  fill($("height"), rows.length ? rows : [row(s.frame ? "the last frame had none over the map's terrain" : "no frame yet")]);
}
function showGnss(s) {
  const g = s.gnss;
  fill($("evidence"), [element("span", g.state, GNSS[g.state]), ` for ${seconds(g.for_s)}` + (g.evidence.length ? ": " + g.evidence.join("; ") : "")]);
  fill($("receivers"), g.receivers.map(r => row(NAMES[`gnss${r.receiver}`] || `GNSS ${r.receiver + 1}`,
    r.has_fix ? FIX_TYPES[r.fix_type] || `fix ${r.fix_type}` : "no fix",
    r.satellites === null ? "" : `${r.satellites} sats`, r.has_fix ? number(r.sigma_m, 1, "m") : "",
    r.age_s > 3 ? element("td", `${seconds(r.age_s)} ago`, "bad") : "")));
}
function showHealth(s) {
  const rows = s.health.map(h => row(words(h.name), said([h.problem || "good", h.problem ? "bad" : "good"], [h.detail, "soft"])));
  if (s.ekf) {
    const worst = Math.max(s.ekf.position_variance, s.ekf.velocity_variance);
    rows.push(row("autopilot's EKF", said(worst < 0.8 ? ["good", "good"] : worst < 1 ? ["near its gate", "warn"] : ["rejecting", "bad"], [`test ratio ${worst.toFixed(2)}`, "soft"])));
  }
  fill($("health"), rows.length ? rows : [row("nothing reported yet")]);
}
function showLatency(s) {
  const most = Math.max(1, ...s.latency_ms.map(l => l.p95)), cells = [];
  let total = 0;
  for (const l of s.latency_ms) {
    const bar = element("div", undefined, "bar"), tail = element("i", undefined, "tail"), mid = element("i");
    tail.style.width = `${100 * l.p95 / most}%`; mid.style.width = `${100 * l.median / most}%`;
    bar.append(tail, mid); total += l.median;
    cells.push(element("span", l.stage), bar, element("span", `${l.median.toFixed(1)} (95 %: ${l.p95.toFixed(1)}) ms`));
  }
  if (cells.length) cells.push(element("span", "all"), element("span"), element("span", `${total.toFixed(0)} ms`));
  fill($("latency"), cells.length ? cells : [element("span", "no frame yet")]);
}
function showLists(s) {
  const refused = Object.entries(s.refused).map(([r, n]) => `${n} ${words(r)}`).join(", ");
  $("counts").textContent = `${s.frames} frames, ${s.fixes} fixes` + (refused ? `; refused: ${refused}` : "");
  fill($("refusals"), s.refusals.map(f => {
    const li = element("li");
    li.append(element("span", `${words(f.refusal.reason)} `, "warn"), element("small", `${f.refusal.detail} (${seconds(f.age_s)} ago)`));
    return li;
  }));
  $("sent").textContent = Object.entries(s.sent).map(([m, n]) => `${n} ${m}`).join(", ") || "nothing sent yet";
  fill($("texts"), s.texts.map(t => element("li", t)));
}
function show(s) {
  for (const part of [showConnection, showStrip, showFrame, showHeight, showGnss, showHealth, showLatency, showLists]) part(s);
}

async function json(path) {
  const stop = new AbortController(), late = setTimeout(() => stop.abort(), 5000);
  try {
    const answer = await fetch(path, { signal: stop.signal });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return await answer.json();
  } finally { clearTimeout(late); }
}
function showLost(error) {
  $("connection").textContent = error instanceof TypeError || error.name === "AbortError" ? "no connection to the aircraft" : error.message;
  $("connection").className = "bad";
  for (const id of ["mode", "gnss", "age", "protection", "speed"]) strip(id, "-");
}
const sleep = ms => new Promise(done => setTimeout(done, ms));

async function main() {
  let map = null, wait = PERIOD_MS;
  for (let turn = 0; ; turn++) {
    try {
      if (!map) {
        const info = await json("/map.json");
        map = new GroundMap($("map"), info);
        $("attribution").textContent = info.attribution.join(", ");
        map.onFollow = on => $("follow").setAttribute("aria-pressed", String(on));
        $("follow").onclick = () => map.setFollow(!map.follow);
        $("closer").onclick = () => map.zoomBy(1);
        $("farther").onclick = () => map.zoomBy(-1);
      }
      const status = await json("/status.json");
      show(status);
      map.show(status);
      if (turn % TRACKS_EVERY === 0) {
        map.addTracks(await json(`/tracks.json?${map.held()}`));
        fill($("legend"), Object.keys(NAMES).filter(name => name in map.tracks).map(name => {
          const line = element("div"), key = element("i");
          key.style.background = COLOURS[name] || "#fff";
          line.append(key, NAMES[name] || name);
          return line;
        }));
      }
      wait = PERIOD_MS;
    } catch (error) {
      showLost(error);
      wait = Math.min(SLOWEST_MS, wait * 2);
    }
    await sleep(document.hidden ? SLOWEST_MS : wait);
  }
}
main();
