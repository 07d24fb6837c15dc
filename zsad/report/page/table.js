// Which images are listed, in which order; the table, page by page.
const order = { failed: 0, uncalibrated: 1, normal: 1, anomalous: 2 };
const keys = {
  score: (row) => row.score, peak: (row) => row.peak, area: (row) => row.area, ms: (row) => row.ms,
  order: (row) => row.order, name: (row) => row.name, verdict: (row) => order[verdict(row)], mark: (row) => markOf(row),
};
const collator = new Intl.Collator("en", { numeric: true });
const FAILED_AMONG = ["name", "order", "verdict", "mark"];
function selected() {
  const find = chosen.find.toLowerCase(), by = keys[chosen.sort], sign = chosen.down ? -1 : 1;
  const kept = rows.filter((row) => (chosen.show === "all" || verdict(row) === chosen.show)
    && (chosen.marked === "any" || (markOf(row) || "none") === chosen.marked)
    && (!find || row.name.toLowerCase().includes(find)));
  return kept.sort((a, b) => {
    if (!a.error !== !b.error && !FAILED_AMONG.includes(chosen.sort)) return a.error ? 1 : -1;
    const x = by(a), y = by(b);
    const difference = typeof x === "string" ? collator.compare(x, y) : (x ?? 0) - (y ?? 0);
    return sign * difference || a.order - b.order;
  });
}
const anchor = (text, target) => {
  const link = make("a", "", text);
  link.setAttribute("href", target);
  link.setAttribute("target", "_blank");
  link.setAttribute("rel", "noopener");
  return link;
};
const links = (row) => {
  if (!row.stem) return [];
  const stem = encodeURIComponent(row.stem);
  return [anchor("overlay", `overlay/${stem}.jpg`), anchor("heatmap", `heatmap/${stem}.png`)];
};
let now = [];
const nodes = () => [...document.querySelectorAll("#cards .card")];
function list() {
  now = selected();
  const shown = now.filter((row) => cards.has(row.order));
  $("cards").replaceChildren(...arrange(shown));
  const tableLink = make("a", "", "The table");
  tableLink.href = "#listing";
  $("cards-note").replaceChildren(...now.length === 0 ? ["Nothing matches."]
    : !shown.length ? ["No pictures among these. ", tableLink, " has them all."]
    : cards.size < good.length ? [`${count(shown.length, "picture")}: of ${count(good.length, "image")}, the 200 highest and 50 random ones are embedded. `, tableLink, " links to all."]
    : [`${count(shown.length, "picture")}. `, tableLink, " has all figures and links."]);
  table();
}
function table() {
  const last = Math.max(0, Math.ceil(now.length / PAGE) - 1);
  chosen.page = Math.min(last, Math.max(0, chosen.page));
  const from = chosen.page * PAGE, part = now.slice(from, from + PAGE);
  $("table").replaceChildren(...part.map(tableRow));
  if (!part.length) {
    const row = make("tr"), only = make("td", "empty", "No image matches.");
    only.colSpan = 9;
    row.append(only);
    $("table").append(row);
  }
  $("page").textContent = !now.length ? "0" : last ? `${number(from + 1)} to ${number(from + part.length)} of ${number(now.length)}` : count(now.length, "row");
  $("prev").hidden = $("next").hidden = !last;
  $("prev").disabled = chosen.page === 0;
  $("next").disabled = chosen.page === last;
  for (const button of document.querySelectorAll("th button")) {
    const sorted = button.dataset.sort === chosen.sort;
    button.parentElement.setAttribute("aria-sort", sorted ? (chosen.down ? "descending" : "ascending") : "none");
  }
  $("sort").value = [...$("sort").options].some((option) => option.value === chosen.sort) ? chosen.sort : "order";
}
function tableRow(row) {
  const line = make("tr");
  const add = (cls, ...content) => { const td = make("td", cls); td.append(...content); line.append(td); };
  const file = [anchor(row.name, row.link)];
  if (row.error || row.note) file.push(make("small", "", row.error || row.note));
  add("file", ...file);
  add("verdict-column", ...row.error || judges() ? [tag(row)] : []);
  if (row.error) {
    for (const cls of ["num", "num peak", "num area", "num wide", "wide", "marking", ""]) add(cls);
    return line;
  }
  const score = make("span", "score-cell", row.score.toFixed(3));
  score.append(meter(row.score));
  add("num", score);
  add("num peak", row.peak.toFixed(3));
  add("num area", percent(row.area));
  add("num wide", row.ms.toFixed(0));
  add("wide", `${row.w} \u00d7 ${row.h}`);
  add("marking", markers(row));
  const holder = make("div", "links");
  holder.append(...links(row));
  add("", holder);
  return line;
}
