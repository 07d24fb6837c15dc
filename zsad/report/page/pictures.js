// The pictures: a thumbnail and its map, painted as the view asks for; one card for each.
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
    const pixels = pen.getImageData(0, 0, card.w, card.h).data, values = new Uint8Array(card.w * card.h);
    for (let i = 0; i < values.length; i++) values[i] = pixels[4 * i];
    card.photo = photo;
    card.map = values;
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
// Colour and opacity of each map value as one word, in the order of the bytes of a picture.
const palette = (opacity) => {
  const bytes = new Uint8Array(4 * 256);
  for (let i = 0; i < 256; i++) bytes.set([...heat.subarray(3 * i, 3 * i + 3), opacity[i]], 4 * i);
  return new Uint32Array(bytes.buffer);
};
const palettes = { both: palette(settings.alpha), heat: palette(new Array(256).fill(255)) };
// Paint a card; without its photo, what lies over another picture of the same image. Returns the anomalous area.
function paint(card, canvas, zoom, photo = card.photo) {
  const { w, h, map } = card, view = chosen.view;
  canvas.width = Math.round(w * zoom);
  canvas.height = Math.round(h * zoom);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  if (photo) pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  if (view === "both" || view === "heat") {
    const image = new ImageData(w, h), words = new Uint32Array(image.data.buffer), colours = palettes[view];
    for (let i = 0; i < map.length; i++) words[i] = colours[map[i]];
    const layer = document.createElement("canvas");
    layer.width = w;
    layer.height = h;
    layer.getContext("2d").putImageData(image, 0, 0);
    pen.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }
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
    const a = at(x, y), b = at(x + 1, y), c = at(x + 1, y + 1), d = at(x, y + 1);
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
  const scale = Math.sqrt(w * h) * zoom / 256;
  for (const [style, width] of [["#100c18", 3], ["#fff", 1.2]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width * Math.max(.6, Math.sqrt(scale) > 1 ? Math.sqrt(scale) * 1.3 : scale);
    pen.stroke(path);
  }
}

const tag = (row) => make("span", "tag " + verdict(row), row.error || judges() ? verdict(row) : "");
const meter = (score) => {
  const outer = make("div", "meter"), bar = make("i");
  bar.style.width = `${100 * score}%`;
  bar.style.setProperty("--full", `${100 / Math.max(.01, score)}%`);
  outer.append(bar);
  return outer;
};

function show(card) {
  const longest = Math.max(card.w, card.h);
  const area = paint(card, card.canvas, Math.max(1, Math.round(256 / longest)));
  card.area.textContent = percent(area) + " area";
  card.pic.querySelector(".tag").replaceWith(tag(card.row));
  card.stale = false;
}
async function refresh(card) {
  try { await load(card); show(card); } catch { card.area.textContent = "picture damaged"; }
}
const visible = new Set();
const watcher = new IntersectionObserver((changes) => {
  for (const change of changes) {
    const card = change.target.card;
    if (change.isIntersecting) { visible.add(card); refresh(card); } else visible.delete(card);
  }
}, { rootMargin: "300px" });
// Paper shows every picture, also those that nobody has scrolled to.
addEventListener("beforeprint", () => { for (const card of cards.values()) if (card.map && card.stale) show(card); });
const stale = () => { for (const card of cards.values()) card.stale = true; };

// Wide pictures take several columns, and a strip the whole width; the frames have the shape of most of the images.
const ratios = [...cards.values()].map((card) => card.row.w / card.row.h).sort((a, b) => a - b);
const usual = Math.min(1.6, Math.max(.7, ratios[ratios.length >> 1] || 1));
const span = (ratio) => ratio >= 4.2 * usual ? "strip" : ratio >= 2.5 * usual ? "wider" : ratio >= 1.55 * usual ? "wide" : "";

for (const card of cards.values()) {
  const row = card.row, ratio = row.w / row.h;
  const node = card.node = make("article", `card ${span(ratio)}`);
  node.tabIndex = 0;
  node.card = card;
  node.setAttribute("aria-label", row.name);
  node.title = row.name;
  card.stale = true;
  card.pic = make("div", "pic");
  if (span(ratio) === "strip") card.pic.style.aspectRatio = String(Math.min(ratio, 14));
  card.canvas = make("canvas");
  card.canvas.width = card.w;
  card.canvas.height = card.h;
  card.pic.append(card.canvas, tag(row));
  const text = make("div", "text"), name = make("span", "name"), figures = make("div", "figures");
  name.append(make("bdi", "", row.name.slice(row.folder.length)));
  text.append(name);
  if (row.folder) {
    const folder = make("span", "folder");
    folder.append(make("bdi", "", row.folder.slice(0, -1)));
    text.append(folder);
  }
  card.area = make("span", "", "");
  card.area.title = "share of the picture above the pixel threshold";
  figures.append(make("b", "", row.score.toFixed(3)), card.area, markers(row));
  text.append(figures, meter(row.score));
  node.append(card.pic, text);
  node.addEventListener("click", (event) => { if (!event.target.closest(".markers")) enlarge(card); });
  watcher.observe(node);
}
// Decoded one by one while nothing else is to be done, for printing and for quick scrolling.
(async () => { for (const card of cards.values()) await load(card).catch(() => {}); })();

// Cards in the order of the list, under the names of their folders if they are to be grouped.
function arrange(shown) {
  if (chosen.group !== "folder") return shown.map((row) => cards.get(row.order).node);
  const groups = new Map();
  for (const row of shown) groups.set(row.folder, [...groups.get(row.folder) ?? [], row]);
  return [...groups].flatMap(([folder, members]) => {
    const head = make("h3", "group"), bad = members.filter((row) => verdict(row) === "anomalous").length;
    head.append(make("bdi", "", folder || "not in a folder"));
    head.append(make("small", "", [count(members.length, "picture"), ...judges() ? [`${number(bad)} anomalous`] : [], `highest score ${Math.max(...members.map((row) => row.score)).toFixed(3)}`].join(", ")));
    return [head, ...members.map((row) => cards.get(row.order).node)];
  });
}
