"use strict";
// Everything that comes from files reaches the page through textContent or setAttribute, never as markup.
document.addEventListener("DOMContentLoaded", () => {
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
  const settings = JSON.parse($("settings").textContent);
  const facts = settings.facts;
  const heat = Uint8Array.from(settings.heat.match(/../g), (pair) => parseInt(pair, 16));

  const rows = lines("row-data").filter((row) => typeof row?.[0] === "string").map(([name, link, stem, error, score, peak, regions, area, ms, w, h, note], order) =>
    ({ order, name, link, stem, error, score, peak, regions, area, ms, w, h, note }));
  const good = rows.filter((row) => !row.error);
  const cards = new Map();
  for (const [index, why, w, h, jpeg, png] of lines("card-data")) {
    if (rows[index]) cards.set(index, { row: rows[index], why, w, h, jpeg, png });
  }
  const end = lines("state-data")[0];
  const state = end ?? { state: "running", done: rows.length, total: rows.length };

  // A threshold is a number, null where none is given (nothing fires then), or Infinity for never.
  const limit = (value) => value === "never" ? Infinity : value;
  const chosen = { image: limit(facts.image), pixel: limit(facts.pixel), show: "all", find: "", sort: "score", down: true, view: "both", page: 0 };
  const PAGE = 200;
  const given = (kind) => chosen[kind] !== null && facts.rule !== (kind === "image" ? "region" : "score");
  const judges = () => given("image") || given("pixel");
  const fires = (row) => given("image") && row.score >= chosen.image || given("pixel") && row.peak >= chosen.pixel;
  const verdict = (row) => row.error ? "failed" : !judges() ? "uncalibrated" : fires(row) ? "anomalous" : "normal";
  const drawn = () => chosen.pixel ?? facts.outline;  // regions are outlined from here on, threshold or not

  // ---- summary, histograms, sliders
  const histogram = (values) => {
    const bins = new Array(50).fill(0);
    for (const value of values) bins[Math.min(49, Math.floor(value * 50))]++;
    return bins;
  };
  const bins = { image: histogram(good.map((row) => row.score)), pixel: histogram(good.map((row) => row.peak)) };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function drawHistogram(kind) {
    const canvas = $(kind + "-h"), ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = 64;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    // The root shows a single failed part among thousands of good ones.
    const top = Math.sqrt(Math.max(1, ...bins[kind])), step = width / 50;
    bins[kind].forEach((count, i) => {
      if (!count) return;
      const tall = Math.max(2, Math.sqrt(count) / top * (height - 4));
      const at = Math.round((i + .5) / 50 * 205) * 3;
      pen.fillStyle = (i + .5) / 50 >= (chosen[kind] ?? Infinity) ? `rgb(${heat[at]},${heat[at + 1]},${heat[at + 2]})` : css("--bar");
      pen.fillRect(i * step + .5, height - tall, Math.max(1, step - 1.5), tall);
    });
    pen.fillStyle = css("--line");
    pen.fillRect(0, height - 1, width, 1);
    if (chosen[kind] !== null && chosen[kind] <= 1) {
      pen.fillStyle = css("--ink");
      pen.fillRect(Math.min(width - 1.5, chosen[kind] * width), 0, 1.5, height);
    }
  }

  function summarise() {
    const count = { anomalous: 0, normal: 0, failed: 0, uncalibrated: 0 };
    for (const row of rows) count[verdict(row)]++;
    const number = (n) => n.toLocaleString("en");
    $("n-anomalous").textContent = number(judges() ? count.anomalous : good.length);
    $("t-anomalous").textContent = judges() ? `of ${number(good.length)} images anomalous`
      : `${good.length === 1 ? "image" : "images"}, ordered by score: uncalibrated, no verdicts`;
    $("n-all").textContent = judges() ? `${number(count.normal)} normal` : "";
    $("uncalibrated").hidden = judges();
    $("n-failed").textContent = count.failed ? `${number(count.failed)} failed` : "";
    $("n-failed").className = "fail";
    $("share").firstElementChild.style.width = good.length ? `${100 * count.anomalous / good.length}%` : 0;
    for (const button of document.querySelectorAll("[data-show]")) {
      const n = button.dataset.show === "all" ? rows.length : count[button.dataset.show];
      button.replaceChildren(button.dataset.show[0].toUpperCase() + button.dataset.show.slice(1), make("span", "", number(n)));
    }
    for (const kind of ["image", "pixel"]) {
      const at = kind === "pixel" ? drawn() : chosen.image, place = Math.min(1, at ?? 1);
      $(kind + "-v").textContent = chosen[kind] === null ? "not given" : at === Infinity ? "never" : at.toFixed(3).replace(/0$/, "");
      $(kind + "-t").value = place;
      $(kind + "-t").style.setProperty("--at", `${100 * place}%`);
      drawHistogram(kind);
    }
    const short = (x) => String(+x.toFixed(4));
    const option = (name, value) => value === null ? [] : [`${name} ${value === Infinity ? "never" : short(value)}`];
    const options = [...option("--threshold", chosen.image), ...option("--pixel-threshold", chosen.pixel)];
    if (options.length && facts.rule !== "either") options.push(`--rule ${facts.rule}`);
    $("command").textContent = options.join(" ");
    $("command").hidden = $("copy").hidden = !options.length;
  }

  // ---- pictures
  const picture = (data, kind) => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = `data:image/${kind};base64,${data}`;
  });
  async function load(card) {
    card.loading ??= (async () => {
      const [photo, map] = await Promise.all([picture(card.jpeg, "jpeg"), picture(card.png, "png")]);
      const canvas = document.createElement("canvas");
      canvas.width = card.w;
      canvas.height = card.h;
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.drawImage(map, 0, 0, card.w, card.h);
      const pixels = pen.getImageData(0, 0, card.w, card.h).data;
      card.map = new Uint8Array(card.w * card.h);
      for (let i = 0; i < card.map.length; i++) card.map[i] = pixels[4 * i];
      pen.drawImage(photo, 0, 0, card.w, card.h);
      card.photo = pen.getImageData(0, 0, card.w, card.h).data;
    })();
    await card.loading;
  }
  // The map of a card holds the highest value of each block, which makes regions look larger than they are;
  // the exact area is known at the run's own threshold, and sets the scale for the others.
  const pooled = (card, threshold) => {
    if (card.row.peak < threshold) return 0;
    const level = Math.ceil(threshold * 255 - .5);
    return card.map.reduce((n, value) => n + (value >= level), 0) / card.map.length;
  };
  const share = (card) => {
    card.scale ??= card.row.area / pooled(card, limit(facts.pixel) ?? facts.outline) || 1;
    return Math.min(1, pooled(card, drawn()) * Math.min(1, card.scale));
  };
  function paint(card, canvas, zoom) {
    const { w, h, map, photo } = card, view = chosen.view;
    const image = new ImageData(w, h), data = image.data;
    for (let i = 0; i < map.length; i++) {
      const value = map[i] * 3, k = 4 * i;
      const a = view === "heat" ? 1 : view === "both" ? settings.alpha[map[i]] / 255 : 0;
      for (let c = 0; c < 3; c++) data[k + c] = photo[k + c] * (1 - a) + heat[value + c] * a;
      data[k + 3] = 255;
    }
    const source = document.createElement("canvas");
    source.width = w;
    source.height = h;
    source.getContext("2d").putImageData(image, 0, 0);
    canvas.width = w * zoom;
    canvas.height = h * zoom;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(source, 0, 0, w * zoom, h * zoom);
    const area = share(card);
    if (area && (view === "both" || view === "mask")) outline(pen, map, w, h, zoom);
    return area;
  }
  // Marching squares at the threshold: smooth lines at any zoom, closed at the border.
  function outline(pen, map, w, h, zoom) {
    const level = drawn() * 255 - .5, path = new Path2D();
    const at = (x, y) => x >= 0 && y >= 0 && x < w && y < h ? map[y * w + x] : -1;
    const cut = (a, b) => (level - a) / (b - a);
    for (let y = -1; y < h; y++) for (let x = -1; x < w; x++) {
      const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
      const kind = (a >= level) + 2 * (b >= level) + 4 * (c >= level) + 8 * (d >= level);
      if (kind === 0 || kind === 15) continue;
      const top = [x + cut(a, b), y], right = [x + 1, y + cut(b, c)], bottom = [x + cut(d, c), y + 1], left = [x, y + cut(a, d)];
      const pairs = { 1: [left, top], 2: [top, right], 3: [left, right], 4: [right, bottom], 6: [top, bottom], 7: [left, bottom] };
      const ends = kind === 5 || kind === 10 ? [left, top, right, bottom] : pairs[kind] ?? pairs[15 - kind];
      for (let i = 0; i < ends.length; i += 2) {
        path.moveTo((ends[i][0] + .5) * zoom, (ends[i][1] + .5) * zoom);
        path.lineTo((ends[i + 1][0] + .5) * zoom, (ends[i + 1][1] + .5) * zoom);
      }
    }
    pen.lineCap = "round";
    const scale = Math.max(w, h) * zoom / 256;
    for (const [style, width] of [["#100c18", 3], ["#fff", 1.2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width * Math.max(.6, Math.sqrt(scale) > 1 ? Math.sqrt(scale) * 1.3 : scale);
      pen.stroke(path);
    }
  }

  const tag = (row) => make("span", "tag " + verdict(row), verdict(row));
  const meter = (score) => {
    const outer = make("div", "meter"), bar = make("i");
    bar.style.width = `${100 * score}%`;
    bar.style.setProperty("--full", `${100 / Math.max(.01, score)}%`);
    outer.append(bar);
    return outer;
  };
  const percent = (x) => x === 0 ? "0 %" : x < .0005 ? "< 0.1 %" : `${(100 * x).toFixed(1)} %`;

  const visible = new Set();
  const watcher = new IntersectionObserver((changes) => {
    for (const change of changes) {
      const card = change.target.card;
      if (change.isIntersecting) { visible.add(card); refresh(card); } else visible.delete(card);
    }
  }, { rootMargin: "300px" });
  async function refresh(card) {
    try { await load(card); } catch { card.area.textContent = "picture damaged"; return; }
    card.area.textContent = percent(paint(card, card.canvas, Math.max(1, Math.round(256 / Math.max(card.w, card.h))))) + " area";
    card.pic.querySelector(".tag").replaceWith(tag(card.row));
  }
  for (const card of cards.values()) {
    const node = card.node = make("article", "card");
    node.tabIndex = 0;
    node.card = card;
    node.setAttribute("aria-label", card.row.name);
    node.dataset.index = card.row.order;
    card.pic = make("div", "pic");
    card.canvas = make("canvas");
    card.canvas.width = card.w;
    card.canvas.height = card.h;
    card.pic.append(card.canvas, tag(card.row));
    const text = make("div", "text"), name = make("span", "name"), figures = make("div", "figures");
    const cut = card.row.name.lastIndexOf("/") + 1;
    name.append(make("bdi", "", card.row.name.slice(cut)));
    node.title = card.row.name;
    card.area = make("span", "", "");
    card.area.title = "share of the picture above the pixel threshold";
    figures.append(make("b", "", card.row.score.toFixed(3)), card.area);
    text.append(name);
    if (cut) {
      const folder = make("span", "folder");
      folder.append(make("bdi", "", card.row.name.slice(0, cut - 1)));
      text.append(folder);
    }
    text.append(figures, meter(card.row.score));
    node.append(card.pic, text);
    node.addEventListener("click", () => enlarge(card));
    watcher.observe(node);
  }

  // ---- filter, sort, table
  const order = { failed: 0, uncalibrated: 1, normal: 1, anomalous: 2 };
  const keys = {
    score: (row) => row.score, peak: (row) => row.peak, area: (row) => row.area, ms: (row) => row.ms,
    order: (row) => row.order, name: (row) => row.name, verdict: (row) => order[verdict(row)],
  };
  const collator = new Intl.Collator("en", { numeric: true });
  function selected() {
    const find = chosen.find.toLowerCase(), key = keys[chosen.sort], sign = chosen.down ? -1 : 1;
    const kept = rows.filter((row) => (chosen.show === "all" || verdict(row) === chosen.show) && (!find || row.name.toLowerCase().includes(find)));
    return kept.sort((a, b) => {
      if (!a.error !== !b.error && chosen.sort !== "name" && chosen.sort !== "order" && chosen.sort !== "verdict") return a.error ? 1 : -1;
      const x = key(a), y = key(b);
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
    const found = [];
    if (row.stem) {
      const stem = encodeURIComponent(row.stem);
      found.push(anchor("overlay", `overlay/${stem}.jpg`), anchor("heatmap", `heatmap/${stem}.png`));
    }
    return found;
  };
  let now = [];
  function list() {
    now = selected();
    $("cards").replaceChildren(...now.filter((row) => cards.has(row.order)).map((row) => cards.get(row.order).node));
    const shown = $("cards").childElementCount;
    const tableLink = make("a", "", "The table");
    tableLink.href = "#listing";
    const number = (n) => n.toLocaleString("en");
    $("cards-note").replaceChildren(...now.length === 0 ? ["Nothing matches."]
      : !shown ? ["No pictures among these. ", tableLink, " has them all."]
      : cards.size < good.length ? [`${number(shown)} pictures: of ${number(good.length)} images, the 200 highest and 50 random ones are embedded. `, tableLink, " links to all."]
      : [`${number(shown)} pictures. `, tableLink, " has all figures and links."]);
    table();
  }
  function table() {
    const last = Math.max(0, Math.ceil(now.length / PAGE) - 1);
    chosen.page = Math.min(last, Math.max(0, chosen.page));
    const from = chosen.page * PAGE, part = now.slice(from, from + PAGE);
    $("table").replaceChildren(...part.map(tableRow));
    if (!part.length) {
      const row = make("tr"), cell = make("td", "empty", "No image matches.");
      cell.colSpan = 8;
      row.append(cell);
      $("table").append(row);
    }
    $("page").textContent = now.length ? `${(from + 1).toLocaleString("en")} to ${(from + part.length).toLocaleString("en")} of ${now.length.toLocaleString("en")}` : "0";
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
    const cell = (cls, ...content) => { const td = make("td", cls); td.append(...content); line.append(td); };
    const file = [anchor(row.name, row.link)];
    if (row.error || row.note) file.push(make("small", "", row.error || row.note));
    cell("file", ...file);
    cell("", tag(row));
    if (row.error) {
      for (const cls of ["num", "num peak", "num area", "num wide", "wide", ""]) cell(cls);
      return line;
    }
    const score = make("span", "score-cell", row.score.toFixed(3));
    score.append(meter(row.score));
    cell("num", score);
    cell("num peak", row.peak.toFixed(3));
    cell("num area", percent(row.area));
    cell("num wide", row.ms.toFixed(0));
    cell("wide", `${row.w} \u00d7 ${row.h}`);
    const holder = make("div", "links");
    holder.append(...links(row));
    cell("", holder);
    return line;
  }

  // ---- large view
  let open = null;
  async function enlarge(card) {
    open = card;
    await load(card).catch(() => {});
    if (open !== card || !card.map) return;
    const area = paint(card, $("large"), Math.max(1, Math.floor(1024 / Math.max(card.w, card.h))));
    const row = card.row;
    const text = make("div", "", row.name + " ");
    text.append(tag(row));
    const figures = `score ${row.score.toFixed(4)}, peak ${row.peak.toFixed(4)}, ${percent(area)} above ${drawn()}, ${row.w} \u00d7 ${row.h} px`;
    $("viewer-text").replaceChildren(text, make("small", "", row.note ? `${figures}; ${row.note}` : figures));
    const nodes = [...$("cards").children], place = nodes.indexOf(card.node);
    $("viewer-place").textContent = place < 0 ? "" : `${place + 1} of ${nodes.length}`;
    $("back").disabled = place <= 0;
    $("forth").disabled = place === nodes.length - 1;
    $("viewer-links").replaceChildren(anchor("original", row.link), ...links(row));
    if (!$("viewer").open) $("viewer").showModal();
  }
  $("viewer").addEventListener("close", () => {
    const last = open?.node, focused = document.activeElement;
    open = null;
    if (last && (focused.card || focused === document.body)) last.focus();
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  function step(by) {
    const nodes = [...$("cards").children];
    const from = nodes.indexOf(open ? open.node : document.activeElement);
    const to = nodes[Math.min(nodes.length - 1, Math.max(0, from + by))];
    if (!to) return;
    if (open) enlarge(to.card); else { to.focus(); to.scrollIntoView({ block: "nearest" }); }
  }

  // ---- what a person does
  let waiting = false;
  function change(kind, value) {
    chosen[kind] = Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      summarise();
      for (const card of visible) if (card.map) refresh(card);
      if (open) enlarge(open);
      clearTimeout(change.later);
      change.later = setTimeout(list, 120);  // the order may change; not at every pixel of a drag
    });
  }
  for (const kind of ["image", "pixel"]) $(kind + "-t").addEventListener("input", (event) => change(kind, +event.target.value));
  const reset = () => { chosen.image = limit(facts.image); chosen.pixel = limit(facts.pixel); redraw(); };
  function redraw() { summarise(); list(); for (const card of visible) if (card.map) refresh(card); if (open) enlarge(open); }
  function press(group, value) {
    for (const button of document.querySelectorAll(`[data-${group}]`)) button.setAttribute("aria-pressed", String(button.dataset[group] === value));
    chosen[group] = value;
    chosen.page = 0;
    redraw();
  }
  for (const group of ["show", "view"]) {
    for (const button of document.querySelectorAll(`[data-${group}]`)) button.addEventListener("click", () => press(group, button.dataset[group]));
  }
  function sort(key, down) { chosen.sort = key; chosen.down = down; chosen.page = 0; list(); }
  $("sort").addEventListener("change", (event) => sort(event.target.value, !["name", "order"].includes(event.target.value)));
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const key = button.dataset.sort;
      sort(key, chosen.sort === key ? !chosen.down : key !== "name");
    });
  }
  $("search").addEventListener("input", (event) => { chosen.find = event.target.value; chosen.page = 0; list(); });
  $("prev").addEventListener("click", () => { chosen.page--; table(); });
  $("next").addEventListener("click", () => { chosen.page++; table(); });
  $("reset").addEventListener("click", reset);
  $("back").addEventListener("click", () => step(-1));
  $("forth").addEventListener("click", () => step(1));
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
  addEventListener("resize", () => { for (const kind of ["image", "pixel"]) drawHistogram(kind); });
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
      "[": () => change("pixel", drawn() - .01), "]": () => change("pixel", drawn() + .01),
      "<": () => change("image", (chosen.image ?? 1) - .01), ">": () => change("image", (chosen.image ?? 1) + .01),
    };
    if (!ranged) Object.assign(actions, {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => step(-columns), ArrowDown: () => step(columns),
      Enter: () => event.target.card && enlarge(event.target.card),
    });
    const scrolling = event.key.startsWith("Arrow") && !open && !document.activeElement?.card;
    if (scrolling && event.key !== "ArrowRight") return;  // arrows scroll until a picture has the focus
    if (actions[event.key] && (event.key !== "Enter" || event.target.card)) { event.preventDefault(); actions[event.key](); }
  });

  const badge = $("badge");
  badge.textContent = !end ? `unfinished: ${rows.length.toLocaleString("en")} images so far`
    : state.state === "finished" ? "finished"
    : `${state.state}: ${state.done.toLocaleString("en")} of ${state.total.toLocaleString("en")}` + (state.state === "running" ? ` at ${state.time}` : "");
  if (state.state === "running") badge.title = "Load the page again to see what has been finished since.";
  badge.classList.add(end ? state.state : "running");
  redraw();
  document.documentElement.dataset.ready = "1";
});
