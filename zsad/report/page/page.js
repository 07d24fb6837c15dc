// What a person does: sliders, filters, keys, themes.
let waiting = false;
function change(kind, value) {
  chosen[kind] = Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    stale();
    summarise();
    for (const card of visible) if (card.map) refresh(card);
    if (open) enlarge(open);
    clearTimeout(change.later);
    change.later = setTimeout(list, 120);  // the order may change; not at every pixel of a drag
  });
}
for (const kind of ["image", "pixel"]) $(kind + "-t").addEventListener("input", (event) => change(kind, +event.target.value));
const reset = () => { chosen.image = limit(facts.image); chosen.pixel = limit(facts.pixel); redraw(); };
function redraw() {
  stale();
  summarise();
  list();
  for (const card of visible) if (card.map) refresh(card);
  if (open) enlarge(open);
}
function press(group, value) {
  const button = document.querySelector(`[data-${group}="${value}"]`);
  if (button.hidden) return;
  for (const one of document.querySelectorAll(`[data-${group}]`)) one.setAttribute("aria-pressed", String(one === button));
  chosen[group] = value;
  chosen.page = 0;
  redraw();
}
for (const group of ["show", "view"]) {
  for (const button of document.querySelectorAll(`[data-${group}]`)) button.addEventListener("click", () => press(group, button.dataset[group]));
}
function sort(by, down) { chosen.sort = by; chosen.down = down; chosen.page = 0; list(); }
$("sort").addEventListener("change", (event) => sort(event.target.value, !["name", "order"].includes(event.target.value)));
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const by = button.dataset.sort;
    sort(by, chosen.sort === by ? !chosen.down : by !== "name");
  });
}
for (const name of ["marked", "group"]) {
  $(name).addEventListener("change", (event) => { chosen[name] = event.target.value; chosen.page = 0; list(); });
}
$("group").closest("label").hidden = new Set(good.map((row) => row.folder)).size < 2;
$("search").addEventListener("input", (event) => { chosen.find = event.target.value; chosen.page = 0; list(); });
$("prev").addEventListener("click", () => { chosen.page--; table(); });
$("next").addEventListener("click", () => { chosen.page++; table(); });
$("reset").addEventListener("click", reset);
$("back").addEventListener("click", () => step(-1));
$("forth").addEventListener("click", () => step(1));
$("fit").addEventListener("click", () => zoom(0));
$("full").addEventListener("click", () => zoom(1));
$("in").addEventListener("click", () => zoom(stepped(1)));
$("out").addEventListener("click", () => zoom(stepped(-1)));
$("marks-csv").addEventListener("click", () => download("marks.csv", marksCsv()));
$("rows-csv").addEventListener("click", () => download("results.csv", rowsCsv()));
$("unmark").addEventListener("click", () => { if (confirm(`Forget ${count(marks.size, "mark")}?`)) { marks.clear(); keep(); showMarks(); } });
$("copy").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText($("command").textContent); $("copy").textContent = "Copied"; }
  catch { getSelection().selectAllChildren($("command")); $("copy").textContent = "Selected"; }
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
});
$("help").addEventListener("click", () => $("keys").showModal());
const themes = ["auto", "light", "dark"];
function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  $("theme").value = theme;
  for (const kind of ["image", "pixel"]) drawHistogram(kind);
}
$("theme").addEventListener("click", () => setTheme(themes[(themes.indexOf($("theme").value || "auto") + 1) % 3]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme($("theme").value || "auto"));
addEventListener("resize", () => { for (const kind of ["image", "pixel"]) drawHistogram(kind); if (open && !scale) zoom(0); });

// Mark the picture that is open, or that has the focus, and go on to the next.
function markHere(kind) {
  const card = open ?? document.activeElement.closest?.(".card")?.card;
  if (!card) return;
  if (kind === "" || markOf(card.row) !== kind) mark(card.row, kind);
  if (kind) step(1);
}
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.("input[type=search], select");
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  const columns = getComputedStyle($("cards")).gridTemplateColumns.split(" ").length;
  const views = ["both", "mask", "heat", "image"];
  const ranged = event.target.matches?.("input[type=range]");
  const actions = {
    "/": () => $("search").focus(), "?": () => $("keys").showModal(), r: reset,
    1: () => press("show", "all"), 2: () => press("show", "anomalous"), 3: () => press("show", "normal"), 4: () => press("show", "failed"),
    v: () => press("view", views[(views.indexOf(chosen.view) + 1) % 4]),
    g: () => markHere("good"), b: () => markHere("bad"), u: () => markHere(""),
    "[": () => change("pixel", drawn() - .01), "]": () => change("pixel", drawn() + .01),
    "<": () => change("image", (chosen.image ?? 1) - .01), ">": () => change("image", (chosen.image ?? 1) + .01),
  };
  if (open) Object.assign(actions, { z: () => zoom(scale ? 0 : 1), "+": () => zoom(stepped(1)), "-": () => zoom(stepped(-1)) });
  if (!ranged) Object.assign(actions, {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => step(-columns), ArrowDown: () => step(columns),
    Enter: () => event.target.card && enlarge(event.target.card),
  });
  const scrolling = event.key.startsWith("Arrow") && !open && !document.activeElement?.card;
  if (scrolling && event.key !== "ArrowRight") return;  // arrows scroll until a picture has the focus
  if (actions[event.key] && (event.key !== "Enter" || event.target.card)) { event.preventDefault(); actions[event.key](); }
});

const badge = $("badge");
badge.textContent = !end ? `unfinished: ${count(rows.length, "image")} so far`
  : state.state === "finished" ? "finished"
  : `${state.state}: ${number(state.done)} of ${number(state.total)}` + (state.state === "running" ? ` at ${state.time}` : "");
if (state.state === "running") badge.title = "Load the page again to see what has been finished since.";
badge.classList.add(end ? state.state : "running");
$("cards").style.setProperty("--card", cards.size === 1 ? "320px" : cards.size <= 4 ? "290px" : "204px");
$("cards").style.setProperty("--ratio", String(usual));
redraw();
showMarks();
document.documentElement.dataset.ready = "1";
