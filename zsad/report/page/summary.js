// The head of the page: how many images, which thresholds, how the scores lie.
const histogram = (values) => {
  const bins = new Array(50).fill(0);
  for (const value of values) bins[Math.min(49, Math.floor(value * 50))]++;
  return bins;
};
const bins = { image: histogram(good.map((row) => row.score)), pixel: histogram(good.map((row) => row.peak)) };

function drawHistogram(kind) {
  const canvas = $(kind + "-h"), ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  // The root shows a single failed part among thousands of good ones.
  const top = Math.sqrt(Math.max(1, ...bins[kind])), step = width / 50;
  bins[kind].forEach((n, i) => {
    if (!n) return;
    const tall = Math.max(2, Math.sqrt(n) / top * (height - 4));
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

// What the verdicts go by, in words; the same as the table of the command says.
function rule() {
  const parts = [];
  if (given("image")) parts.push(`a score from ${short(chosen.image)}`);
  if (given("pixel")) parts.push(`a region from ${short(chosen.pixel)}` + (facts.min_area ? ` of at least ${+(100 * facts.min_area).toPrecision(3)} % of the image` : ""));
  const asRun = chosen.image === limit(facts.image) && chosen.pixel === limit(facts.pixel);
  const source = !asRun ? "chosen on this page" : facts.source;
  return parts.length ? `Anomalous is ${parts.join(" or ")} (rule: ${facts.rule}${source ? `; ${source}` : ""})` : "None yet: no threshold is given. Regions are outlined from " + short(facts.outline) + " on, as a hint.";
}

function summarise() {
  const found = { anomalous: 0, normal: 0, failed: 0, uncalibrated: 0 };
  for (const row of rows) found[verdict(row)]++;
  const judged = judges();
  $("n-anomalous").textContent = number(judged ? found.anomalous : good.length);
  $("t-anomalous").textContent = judged ? `of ${count(good.length, "image")} anomalous`
    : `${good.length === 1 ? "image" : "images, ordered by score"}: uncalibrated, no ${good.length === 1 ? "verdict" : "verdicts"}`;
  $("n-all").textContent = judged ? `${number(found.normal)} normal` : "";
  $("uncalibrated").hidden = judged;
  $("listing").classList.toggle("unjudged", !judged);
  $("n-failed").textContent = found.failed ? `${number(found.failed)} failed` : "";
  $("n-failed").className = "fail";
  $("rule").textContent = rule();
  $("share").hidden = !judged;
  $("share").firstElementChild.style.width = good.length ? `${100 * found.anomalous / good.length}%` : 0;
  for (const button of document.querySelectorAll("[data-show]")) {
    const kind = button.dataset.show, n = kind === "all" ? rows.length : found[kind];
    button.replaceChildren(kind[0].toUpperCase() + kind.slice(1), make("span", "", number(n)));
    button.hidden = !judged && (kind === "anomalous" || kind === "normal") || kind === "failed" && !n;
  }
  for (const kind of ["image", "pixel"]) {
    const at = kind === "pixel" ? drawn() : chosen.image, place = Math.min(1, at ?? 1);
    $(kind + "-v").textContent = chosen[kind] === null ? "not given" : at === Infinity ? "never" : at.toFixed(3).replace(/0$/, "");
    $(kind + "-t").value = place;
    $(kind + "-t").style.setProperty("--at", `${100 * place}%`);
    drawHistogram(kind);
  }
  const option = (name, value) => value === null ? [] : [`${name} ${short(value)}`];
  const options = [...option("--threshold", chosen.image), ...option("--pixel-threshold", chosen.pixel)];
  if (options.length && facts.rule !== "either") options.push(`--rule ${facts.rule}`);
  $("command").textContent = options.join(" ");
  $("command").hidden = $("copy").hidden = !options.length;
  $("reset").disabled = chosen.image === limit(facts.image) && chosen.pixel === limit(facts.pixel);
}
