const data = JSON.parse(document.getElementById("data").textContent);
const bytes = text => Uint8Array.from(atob(text), sign => sign.charCodeAt(0)).buffer;
const values = new Float32Array(bytes(data.values));
const count = values.length;
const times = data.times ? new Uint32Array(bytes(data.times)) : null;
const frames = data.frames ? new Uint32Array(bytes(data.frames)) : null;
const timeOf = i => (times ? times[i] / 1000 : i * data.step);
const frameOf = i => (frames ? frames[i] : i * data.stride);
const highest = Math.max(data.threshold, values.reduce((a, b) => Math.max(a, b), 0), 1e-9);
const total = Math.max(data.seconds, count ? timeOf(count - 1) : 0, 1e-3);
const find = id => document.getElementById(id);
const canvas = find("timeline"), slider = find("threshold"), movie = find("movie"), still = find("still");
let threshold = data.threshold, events = [], place = 0;

/* The rule of zsad.video.events: half-open spans, hysteresis, gaps joined, short ones left out. */
function findEvents(high) {
  const low = data.low === null ? high : Math.min(data.low, high), spans = [];
  let open = null;
  for (let i = 0; i < count; i++) {
    if (open === null ? values[i] >= high : values[i] >= low) {
      if (open === null) open = { first: i, last: i, peak: i };
      open.last = i;
      if (values[i] > values[open.peak]) open.peak = i;
    } else if (open !== null) { spans.push(open); open = null; }
  }
  if (open !== null) spans.push(open);
  const endOf = i => (i + 1 < count ? frameOf(i + 1) : data.n_frames);
  const joined = [];
  for (const span of spans) {
    const before = joined[joined.length - 1];
    if (before && data.gap && frameOf(span.first) - endOf(before.last) <= data.gap) {
      before.last = span.last;
      if (values[span.peak] > values[before.peak]) before.peak = span.peak;
    } else joined.push(span);
  }
  return joined.filter(span => endOf(span.last) - frameOf(span.first) >= data.min_frames).map(span => ({
    start: timeOf(span.first), end: span.last + 1 < count ? timeOf(span.last + 1) : total,
    from: frameOf(span.first), to: endOf(span.last), peak: timeOf(span.peak), score: values[span.peak],
  }));
}

const clock = seconds => {
  const tenths = Math.round(seconds * 10), minutes = Math.floor(tenths / 600), rest = ((tenths % 600) / 10).toFixed(1);
  const hours = Math.floor(minutes / 60), two = number => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes % 60)}:${rest.padStart(4, "0")}` : `${minutes}:${rest.padStart(4, "0")}`;
};
const short = number => Number(number.toPrecision(4)).toString();

function pictureOf(event) {
  let best = null;
  for (const key of data.keys) {
    if (key.frame >= event.from && key.frame < event.to && (best === null || key.score > best.score)) best = key;
  }
  return best;
}

function jump(seconds) {
  place = Math.max(0, Math.min(total, seconds));
  if (movie) { movie.currentTime = place; } else if (still && data.keys.length) {
    const near = data.keys.reduce((a, b) => (Math.abs(b.seconds - place) < Math.abs(a.seconds - place) ? b : a));
    const picture = document.createElement("img");
    picture.src = near.file;
    picture.alt = `Key frame at ${clock(near.seconds)}`;
    still.replaceChildren(picture);
  }
  say(place);
  draw();
}

function indexAt(seconds) {
  let low = 0, high = count - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (timeOf(middle) <= seconds + 1e-6) low = middle; else high = middle - 1; }
  return low;
}

function say(seconds) {
  if (count) find("readout").textContent = `${clock(seconds)}  score ${short(values[indexAt(seconds)])}`;
}

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PAD = 18;

function draw() {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = css("--sunk"); pen.fillRect(0, 0, width, height);
  const floor = height - PAD, x = seconds => (seconds / total) * width, y = value => floor - (Math.max(0, value) / highest) * (floor - 8);
  pen.fillStyle = css("--bad-bg");
  for (const event of events) pen.fillRect(x(event.start), 0, Math.max(2, x(event.end) - x(event.start)), floor);
  const tops = new Float32Array(Math.ceil(width)).fill(-1);
  for (let i = 0; i < count; i++) {
    const from = Math.floor(x(timeOf(i))), to = Math.max(from + 1, Math.ceil(x(i + 1 < count ? timeOf(i + 1) : total)));
    for (let column = from; column < to && column < tops.length; column++) tops[column] = Math.max(tops[column], values[i]);
  }
  for (let column = 0; column < tops.length; column++) {
    if (tops[column] < 0) continue;
    pen.fillStyle = tops[column] >= threshold ? css("--bad") : css("--accent");
    pen.fillRect(column, y(tops[column]), 1, floor - y(tops[column]) + 1);
  }
  pen.strokeStyle = css("--ink"); pen.setLineDash([5, 4]); pen.lineWidth = 1.5;
  pen.beginPath(); pen.moveTo(0, y(threshold)); pen.lineTo(width, y(threshold)); pen.stroke();
  pen.setLineDash([]); pen.lineWidth = 2;
  pen.beginPath(); pen.moveTo(x(place), 0); pen.lineTo(x(place), floor); pen.stroke();
  pen.fillStyle = css("--soft"); pen.font = "11.5px system-ui, sans-serif"; pen.textBaseline = "bottom";
  const steps = Math.max(1, Math.floor(width / 110));
  for (let k = 0; k <= steps; k++) {
    const text = clock((k / steps) * total), wide = pen.measureText(text).width;
    pen.fillText(text, Math.min(width - wide - 1, Math.max(1, (k / steps) * width - wide / 2)), height - 1);
  }
}

const MOST = 120;
function cards() {
  const shown = [...events].sort((a, b) => b.score - a.score).slice(0, MOST).sort((a, b) => a.start - b.start);
  find("cards").replaceChildren(...shown.map(event => {
    const card = document.createElement("button"), key = pictureOf(event), says = document.createElement("span");
    card.type = "button"; card.className = "card"; says.className = "says";
    if (key) {
      const picture = document.createElement("img");
      picture.src = key.file; picture.alt = `Frame ${key.frame}, with heat`; picture.loading = "lazy";
      card.append(picture);
    } else {
      const none = document.createElement("span");
      none.className = "none"; none.textContent = "no key frame at this threshold";
      card.append(none);
    }
    const title = document.createElement("b"), rest = document.createElement("span");
    title.textContent = `${clock(event.start)} - ${clock(event.end)}`;
    rest.textContent = `score ${short(event.score)}${key && key.label ? `, ${key.label}` : ""}`;
    says.append(title, rest); card.append(says);
    card.addEventListener("click", () => {
      for (const other of find("cards").children) other.setAttribute("aria-current", String(other === card));
      jump(key ? key.seconds : event.peak);
    });
    return card;
  }));
  const more = events.length - shown.length;
  find("cards-note").textContent = events.length ? `${more ? `the highest ${MOST} of ${events.length}; ` : ""}a click jumps there` : "no score reaches this threshold";
}

function judge() {
  events = findEvents(threshold);
  find("n-events").textContent = String(events.length);
  find("t-events").textContent = events.length === 1 ? "event" : "events";
  find("threshold-v").textContent = short(threshold);
  slider.style.setProperty("--at", `${slider.value / 10}%`);
  cards(); draw();
}

slider.addEventListener("input", () => { threshold = (Number(slider.value) / 1000) * highest; judge(); });
const reset = () => { threshold = data.threshold; slider.value = String(Math.round((threshold / highest) * 1000)); judge(); };
find("reset").addEventListener("click", reset);
const at = event => ((event.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth) * total;
canvas.addEventListener("click", event => jump(at(event)));
canvas.addEventListener("mousemove", event => say(Math.max(0, Math.min(total, at(event)))));
canvas.addEventListener("mouseleave", () => say(place));
canvas.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) { event.preventDefault(); jump(place + step * (event.shiftKey ? 10 : 1)); }
});
if (movie) movie.addEventListener("timeupdate", () => { place = movie.currentTime; say(place); draw(); });
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
reset();
