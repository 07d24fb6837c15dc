// What a person says of an image: good or bad, kept in this browser; and tables for other programs.
const STORE = `zsad marks ${location.pathname}`;
const marks = new Map();
const key = (row) => `${row.file}|${row.stamp}`;  // a file that was replaced has no mark
try { for (const [id, mark] of JSON.parse(localStorage.getItem(STORE) ?? "[]")) if (mark === "good" || mark === "bad") marks.set(id, mark); } catch { /* no storage here, or not ours */ }
const keep = () => { try { localStorage.setItem(STORE, JSON.stringify([...marks])); } catch { /* private window: the marks last as long as the page */ } };
const markOf = (row) => marks.get(key(row)) ?? "";
const SIGNS = { good: "\u2713", bad: "\u2717" };

function mark(row, kind) {
  if (row.error) return;
  if (kind && markOf(row) !== kind) marks.set(key(row), kind); else marks.delete(key(row));
  keep();
  showMarks();
}
// Two buttons, which show what is marked.
function markers(row) {
  const holder = make("span", "markers");
  holder.row = row;
  for (const kind of ["good", "bad"]) {
    const button = push(`mark-${kind}`, SIGNS[kind], `mark as ${kind} (${kind[0]})`, (event) => { event.stopPropagation(); mark(row, kind); });
    button.setAttribute("aria-label", `mark ${row.name} as ${kind}`);
    button.setAttribute("aria-pressed", String(markOf(row) === kind));
    holder.append(button);
  }
  return holder;
}
function showMarks() {
  for (const holder of [...[...cards.values()].map((card) => card.node.querySelector(".markers")), ...document.querySelectorAll("#table .markers, #viewer .markers")]) {
    const now = markOf(holder.row);
    for (const kind of ["good", "bad"]) holder.querySelector(`.mark-${kind}`).setAttribute("aria-pressed", String(now === kind));
  }
  for (const card of cards.values()) card.node.dataset.mark = markOf(card.row);
  const all = rows.map(markOf), n = (kind) => all.filter((one) => one === kind).length, total = n("good") + n("bad");
  $("marks-csv").disabled = $("unmark").disabled = !total;
  $("marks-n").textContent = total ? `Marked: ${number(n("good"))} good, ${number(n("bad"))} bad` : "Nothing is marked yet";
}

// A cell that no spreadsheet takes for a formula, as in the table of `zsad detect --csv`; numbers stay numbers.
const cell = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const text = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (head, lines) => [head, ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("");
const marksCsv = () => csv(["path", "mark"], rows.filter(markOf).map((row) => [row.file, markOf(row)]));
const threshold = (value) => value === Infinity ? "never" : value;
const rowsCsv = () => csv(
  ["path", "error", "score", "verdict", "fired", "peak", "width", "height", "regions", "area", "image_threshold", "pixel_threshold", "rule", "notes", "latency_ms", "mark"],
  rows.map((row) => row.error ? [row.file, row.error]
    : [row.file, "", row.score, judges() ? verdict(row) : "", fires(row).join(" "), row.peak, row.w, row.h, row.regions, row.area, threshold(chosen.image), threshold(chosen.pixel), facts.rule, row.note, row.ms, markOf(row)]));
function download(name, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
