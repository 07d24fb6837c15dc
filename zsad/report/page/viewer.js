// The large view: one picture, up to the full pixels of the original where that lies beside the page.
let open = null, scale = 0;  // CSS pixels for a pixel of the image; 0 fits it into the frame
const stage = $("stage"), sheet = $("sheet"), original = $("original");
// Only a relative link leads beside the page: no scheme, no other host, nothing from the root.
const beside = (link) => /^(?![a-z][a-z0-9+.-]*:)[^/\\]/i.test(link);

const fitting = (row) => {
  const { w, h } = row, room = stage.getBoundingClientRect();
  return Math.min((room.width - 2) / w, (room.height - 2) / h, 8);
};
const steps = [.125, .25, .5, 1, 2, 4, 8];
// Zoom so that the point of the image under (x, y) of the frame stays where it is.
function zoom(to, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  if (!open) return;
  const { w, h } = open.row, fit = fitting(open.row), before = scale || fit;
  const box = sheet.getBoundingClientRect(), frame = stage.getBoundingClientRect();
  const at = [(x + frame.left - box.left) / before, (y + frame.top - box.top) / before];
  scale = !to || to <= fit && to < 1 ? 0 : Math.min(8, to);
  const shown = scale || fit;
  sheet.style.width = `${w * shown}px`;
  sheet.style.height = `${h * shown}px`;
  stage.classList.toggle("zoomed", scale > 0);
  stage.scrollLeft = Math.max(0, at[0] * shown - x);
  stage.scrollTop = Math.max(0, at[1] * shown - y);
  $("zoom-v").textContent = `${Math.round(100 * shown)} %`;
  $("fit").disabled = !scale;
  if (shown * w > 1.2 * open.w) fetchOriginal(open);
}
// The file itself is asked for only when its pixels are; the map stays over it.
function fetchOriginal(card) {
  const { row } = card;
  if (card.source !== undefined) return;
  card.source = "";
  const candidates = [...beside(row.link) ? [row.link] : [], ...row.stem ? [`overlay/${encodeURIComponent(row.stem)}.jpg`] : []];
  const next = () => {
    const source = candidates.shift();
    if (source === undefined) { if (open === card) $("pixels").textContent = "The original is not beside this page: its thumbnail is enlarged."; return; }
    const image = new Image();
    image.onerror = next;
    image.onload = () => {
      if (image.naturalWidth !== row.w || image.naturalHeight !== row.h) { next(); return; }
      card.source = source;
      if (open === card) base(card);
    };
    image.src = source;
  };
  next();
}
// Put the original, if it is there, below the map; an overlay file has its own heat and outlines.
function base(card) {
  const own = card.source === card.row.link;
  original.hidden = !card.source;
  if (card.source) original.src = card.source; else original.removeAttribute("src");
  $("large").hidden = Boolean(card.source) && !own;
  $("pixels").textContent = !card.source ? "" : own ? "Pixels of the original." : "Pixels of the overlay file: browsers do not show this original.";
  return own ? null : card.photo;
}

async function enlarge(card) {
  const other = open !== card;
  open = card;
  await load(card).catch(() => {});
  if (open !== card || !card.map) return;
  if (!$("viewer").open) $("viewer").showModal();
  const row = card.row, photo = base(card);
  const area = paint(card, $("large"), Math.max(1, Math.floor(1024 / Math.max(card.w, card.h))), photo);
  const text = make("div", "", row.name + " ");
  text.append(tag(row));
  const figures = [`score ${row.score.toFixed(4)}`, `peak ${row.peak.toFixed(4)}`, `${percent(area)} above ${short(drawn())}`, count(row.regions, "region"), `${row.w} \u00d7 ${row.h} px`];
  $("viewer-text").replaceChildren(text, make("small", "", figures.join(", ") + (row.note ? `; ${row.note}` : "")));
  const all = nodes(), place = all.indexOf(card.node);
  $("viewer-place").textContent = place < 0 ? "" : `${number(place + 1)} of ${number(all.length)}`;
  $("back").disabled = place <= 0;
  $("forth").disabled = place === all.length - 1;
  $("viewer-marks").replaceChildren(markers(row));
  $("viewer-links").replaceChildren(anchor("original", row.link), ...links(row));
  if (other) zoom(0);
}
$("viewer").addEventListener("close", () => {
  const last = open?.node, focused = document.activeElement;
  open = null;
  original.removeAttribute("src");
  if (last && (focused.card || focused === document.body)) last.focus();
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
function step(by) {
  const all = nodes();
  const from = all.indexOf(open ? open.node : document.activeElement.closest?.(".card"));
  const to = all[Math.min(all.length - 1, Math.max(0, from + by))];
  if (!to) return;
  if (open) enlarge(to.card); else { to.focus(); to.scrollIntoView({ block: "nearest" }); }
}
const inFrame = (event) => { const frame = stage.getBoundingClientRect(); return [event.clientX - frame.left, event.clientY - frame.top]; };
const stepped = (by) => {
  const at = scale || fitting(open.row);
  return by > 0 ? steps.find((one) => one > at * 1.01) ?? 8 : steps.findLast((one) => one < at * .99) ?? 0;
};

// A click goes to the full pixels there and back; a pulled picture moves; the wheel zooms.
let pulled = null;
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch" || event.button) { pulled = null; return; }
  pulled = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop, moved: false };
});
stage.addEventListener("pointermove", (event) => {
  if (!pulled || !(event.buttons & 1)) return;
  const dx = event.clientX - pulled.x, dy = event.clientY - pulled.y;
  pulled.moved ||= Math.hypot(dx, dy) > 4;
  if (pulled.moved) { stage.scrollLeft = pulled.left - dx; stage.scrollTop = pulled.top - dy; }
});
stage.addEventListener("click", (event) => {
  const moved = pulled?.moved;
  pulled = null;
  if (!moved && open) zoom(scale ? 0 : Math.max(1, Math.min(8, 2 * fitting(open.row))), ...inFrame(event));
});
stage.addEventListener("wheel", (event) => {
  if (!open) return;
  event.preventDefault();
  zoom(stepped(event.deltaY < 0 ? 1 : -1), ...inFrame(event));
}, { passive: false });
