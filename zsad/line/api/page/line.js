"use strict";
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let scores = [], threshold = null, tried = false, paused = false;

function text(id, value) { const node = $(id); if (node.textContent !== value) node.textContent = value; }

function make(kind, name, content) {
  const node = document.createElement(kind);
  if (name) node.className = name;
  if (content !== undefined) node.textContent = content;
  return node;
}

function showState(state) {
  const all = state.counters;
  document.title = `${all.reject} rejected - ${state.station}`;
  text("station", `Station ${state.station}`);
  text("n-reject", number.format(all.reject));
  text("t-reject", all.reject === 1 ? "part rejected" : "parts rejected");
  text("n-total", `${number.format(all.total)} in all`);
  text("n-ok", `${number.format(all.ok)} ok`);
  text("n-unjudged", all.unjudged ? `${number.format(all.unjudged)} unjudged` : "");
  $("share").style.width = all.total ? `${100 * (all.reject + all.unjudged) / all.total}%` : "0";
  text("source", state.source);
  text("model", `${state.model} ${state.model_hash}`);
  text("rule", state.judged_by);
  text("rate", `${state.rate.toFixed(2)} parts/s over the last minute`);
  const ms = state.latency_ms, budget = state.budget_ms ? `, ${number.format(state.late)} over ${state.budget_ms} ms` : "";
  text("latency", ms.p50 === undefined ? "-" : `p50 ${ms.p50} ms, p95 ${ms.p95} ms, p99 ${ms.p99} ms${budget}`);
  const boxes = Object.entries(state.outbox);
  text("outbox", boxes.length ? boxes.map(([sink, count]) => `${sink} ${number.format(count)}`).join(", ") : "empty");
  const badge = $("badge");
  badge.className = `badge ${!state.alive ? "bad" : state.alarms.length ? "running" : "good"}`;
  text("badge", !state.alive ? "stalled" : state.alarms.length ? `${state.alarms.length} alarm${state.alarms.length > 1 ? "s" : ""}` : "running");
  const alarms = state.alarms.map((alarm) => {
    const line = make("p", "alarm");
    line.append(make("b", "", alarm.kind), `${alarm.text} (since ${alarm.time.slice(11, 19)} UTC)`);
    return line;
  });
  $("alarms").replaceChildren(...alarms);
  scores = state.scores;
  threshold = state.threshold;
  if (!tried) $("try").value = threshold ?? 0.5;
  showTry();
}

function showTry() {
  const at = Number($("try").value), over = scores.filter(([score]) => score >= at).length;
  $("try").style.setProperty("--at", `${100 * at}%`);
  text("try-v", at.toFixed(3));
  const now = threshold === null ? "no score threshold is set" : `${scores.filter(([score]) => score >= threshold).length} at ${threshold}, which is set`;
  text("try-d", scores.length ? `${over} of the last ${number.format(scores.length)} parts score as high; ${now}.` : "No part has a score yet.");
  const bins = new Array(50).fill(0);
  for (const [score] of scores) bins[Math.min(49, Math.floor(score * 50))] += 1;
  const most = Math.max(1, ...bins);
  $("histogram").replaceChildren(...bins.map((count, n) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = count ? Math.max(1.5, 40 * count / most) : 0;
    for (const [name, value] of [["x", 2 * n + 0.2], ["width", 1.6], ["y", 40 - height], ["height", height]]) bar.setAttribute(name, value);
    if ((n + 0.5) / 50 >= at) bar.setAttribute("class", "over");
    return bar;
  }));
}

const cards = new Map();

function card(part) {
  let entry = cards.get(part.key);
  if (!entry) {
    const node = make("article", `piece ${part.verdict}`), picture = make("div", "picture", "no picture kept");
    picture.append(make("span", "tag", part.verdict));
    const about = make("div", "about"), name = make("div", "name");
    name.append(make("bdi", "", part.source.split("/").pop()));
    name.title = part.id;
    about.append(make("b", "", part.score === null ? "-" : part.score.toFixed(3)), name);
    const found = part.regions === 1 ? "1 region" : `${part.regions} regions`;
    about.append(make("div", "when", `${part.time.slice(0, 10)} ${part.time.slice(11, 19)} UTC, ${found}, ${Math.round(part.ms.total ?? 0)} ms`));
    if (part.error) about.append(make("div", "why", part.error));
    const wrong = make("button", "");
    wrong.type = "button";
    wrong.addEventListener("click", () => mark(part, entry));
    about.append(wrong);
    node.append(picture, about);
    entry = { node, picture, wrong, mark: null, drawn: false };
    cards.set(part.key, entry);
  }
  if (part.overlay && !entry.drawn) {
    const image = make("img");
    image.alt = `What was found in ${part.source.split("/").pop()}`;
    image.src = `api/overlay?id=${encodeURIComponent(part.key)}`;
    entry.picture.append(image);
    entry.drawn = true;
  }
  showMark(entry, part.mark, part.verdict);
  return entry.node;
}

function showMark(entry, mark, verdict) {
  entry.mark = mark || "";
  entry.wrong.setAttribute("aria-pressed", String(Boolean(mark)));
  entry.wrong.textContent = mark ? `marked ${mark}` : verdict === "ok" ? "Wrong: it is bad" : verdict === "reject" ? "Wrong: it is good" : "It is good";
}

async function mark(part, entry) {
  const said = entry.mark ? "" : part.verdict === "ok" ? "bad" : "good";
  const answer = await fetch("api/marks", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id: part.key, mark: said }),
  });
  if (answer.ok) showMark(entry, said, part.verdict);
}

async function look() {
  if (!paused && !document.hidden) {
    try {
      const [state, parts] = await Promise.all(["api/state", "api/parts?limit=24"].map(async (place) => {
        const answer = await fetch(place);
        if (!answer.ok) throw new Error(String(answer.status));
        return answer.json();
      }));
      showState(state);
      $("parts").replaceChildren(...parts.map(card));
      $("empty").hidden = parts.length > 0;
      const kept = new Set(parts.map((part) => part.key));
      for (const key of cards.keys()) if (!kept.has(key)) cards.delete(key);
    } catch {
      $("badge").className = "badge bad";
      text("badge", "no connection");
    }
  }
  setTimeout(look, 2000);
}

$("try").addEventListener("input", () => { tried = true; showTry(); });
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Go on" : "Pause";
});
for (const id of ["start", "end"]) $(id).addEventListener("change", () => {
  const asked = ["start", "end"].filter((name) => $(name).value).map((name) => `${name}=${$(name).value}${name === "end" ? "T23:59:59.999" : ""}`);
  $("csv").href = `api/parts.csv${asked.length ? "?" + asked.join("&") : ""}`;
});
look();
