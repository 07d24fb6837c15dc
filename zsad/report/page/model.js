// What the page knows: rows, cards, the thresholds chosen now, and words for numbers.
// Everything that comes from files reaches the page through textContent or setAttribute, never as markup.
const $ = (id) => document.getElementById(id);
const lines = (id) => {
  const found = [];
  for (const line of ($(id)?.textContent ?? "").split("\n")) {
    if (!line) continue;
    try { found.push(JSON.parse(line)); } catch { /* the line that a killed run was writing */ }
  }
  return found;
};
const make = (tag, cls, text) => {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  return node;
};
const push = (cls, text, title, act) => {
  const button = make("button", cls, text);
  button.type = "button";
  if (title) button.title = title;
  button.addEventListener("click", act);
  return button;
};
const settings = JSON.parse($("settings").textContent);
const facts = settings.facts;
const heat = Uint8Array.from(settings.heat.match(/../g), (pair) => parseInt(pair, 16));

const rows = lines("row-data").filter((row) => typeof row?.[0] === "string").map(
  ([name, link, stem, error, file, stamp, score, peak, regions, area, ms, w, h, note], order) =>
    ({ order, name, link, stem, error, file: typeof file === "string" ? file + name : file?.[0] ?? name, stamp, score, peak, regions, area, ms, w, h, note }));
for (const row of rows) row.folder = row.name.slice(0, row.name.lastIndexOf("/") + 1);
const good = rows.filter((row) => !row.error);
const cards = new Map();
for (const [index, why, w, h, jpeg, png] of lines("card-data")) {
  if (rows[index]) cards.set(index, { row: rows[index], why, w, h, jpeg, png });
}
const end = lines("state-data")[0];
const state = end ?? { state: "running", done: rows.length, total: rows.length };

// A threshold is a number, null where none is given (nothing fires then), or Infinity for never.
const limit = (value) => value === "never" ? Infinity : value;
const chosen = {
  image: limit(facts.image), pixel: limit(facts.pixel), show: "all", marked: "any", group: "none", find: "",
  sort: "score", down: true, view: "both", page: 0,
};
const PAGE = 200;
const given = (kind) => chosen[kind] !== null && facts.rule !== (kind === "image" ? "region" : "score");
const judges = () => given("image") || given("pixel");
const fires = (row) => [...given("image") && row.score >= chosen.image ? ["score"] : [], ...given("pixel") && row.peak >= chosen.pixel ? ["region"] : []];
const verdict = (row) => row.error ? "failed" : !judges() ? "uncalibrated" : fires(row).length ? "anomalous" : "normal";
const drawn = () => chosen.pixel ?? facts.outline;  // regions are outlined from here on, threshold or not

const number = (n) => n.toLocaleString("en");
const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;
const percent = (x) => x === 0 ? "0 %" : x < .0005 ? "< 0.1 %" : `${(100 * x).toFixed(1)} %`;
const short = (x) => x === Infinity ? "never" : String(+x.toFixed(4));
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
