import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import zsad
from tests.fakes import BrightDetector, write_class
from zsad.data.catalog import CATALOG
from zsad.data.spec import DataSpec
from zsad.errors import ConfigError, DatasetError, UsageError
from zsad.suites import parts, record
from zsad.suites.measure import Plan, assemble, run_suite, unfinished
from zsad.suites.page import page, polyline, write_page
from zsad.suites.reference import BASELINE, baseline, baseline_class, best_strict, published
from zsad.suites.schema import record_problems
from zsad.suites.speed import measure
from zsad.suites.suite import load_suite, locate
from zsad.suites.tables import published_markdown, quality_markdown, read_records

SUITES = Path(__file__).parents[2] / "benchmarks" / "suites"
SUITE = """
name: toy
title: Toy suite
resolution: 32
bootstrap: 10
runs:
  - name: one
    note: first & <only>
    datasets: [br35h]
    entries:
      - {key: parts, layout: mvtec, path: parts}
      - {key: absent, layout: pairs, path: nowhere}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE)
    for name, seed in (("nut", 1), ("bolt", 2), ("<b>odd & name", 3)):
        write_class(tmp_path / "data" / "parts" / name, seed=seed)
    return tmp_path


def go(place, out="out", detector=None, said=None, **options):
    made = []

    def load(**arguments):
        made.append(arguments)
        return detector or BrightDetector()

    plan = Plan(place / out, place / "data", **options)
    written = run_suite(load_suite(place / "suite.yaml"), plan, load, (said if said is not None else []).append)
    return written, made


def test_one_record_per_run_that_fits_the_schema(place):
    said = []
    written, made = go(place, said=said)
    assert [path.name for path in written] == ["one.json"] and made == [{}]
    found = json.loads(written[0].read_text())
    assert record_problems(found) == []
    assert found["missing"] == ["br35h", "absent"]
    assert list(found["datasets"]["parts"]["classes"]) == ["<b>odd & name", "bolt", "nut"]
    assert found["settings"] == {"resolution": 32, "bootstrap": 10, "seed": 0}
    assert found["datasets"]["parts"]["classes"]["nut"]["intervals"]
    assert any("br35h was not found" in line for line in said)
    assert str(place) not in written[0].read_text()  # no place of this machine in a record


@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda r: r.pop("commit"), "no commit"),
        (lambda r: r["settings"].pop("seed"), "no seed"),
        (lambda r: r["datasets"]["parts"]["mean"].update(image_auroc=1.2), "not in"),
        (lambda r: r["datasets"]["parts"]["classes"]["nut"].update(image_auroc=None), "without a reason"),
        (lambda r: r["data"]["parts"]["sha256"].clear(), "no checksum"),
        (lambda r: r.update(format=99), "format 99"),
        (lambda r: r["datasets"].clear(), "without figures"),
        (lambda r: r["machines"][0].pop("cores"), "no cores"),
    ],
)
def test_schema_finds_what_is_missing(place, spoil, word):
    written, _ = go(place)
    found = json.loads(written[0].read_text())
    spoil(found)
    assert any(word in line for line in record_problems(found))
    written[0].write_text(json.dumps(found))
    with pytest.raises(DatasetError, match="run the suite again"):
        read_records(place / "out")


def test_resumes_after_a_kill_without_repeating_finished_classes(place):
    class Killed(BrightDetector):
        def __call__(self, image):
            if "nut" in str(image):
                raise KeyboardInterrupt
            return super().__call__(image)

    with pytest.raises(KeyboardInterrupt):
        go(place, detector=Killed())
    done = list((place / "out" / "one.parts").rglob("*.json"))
    assert len(done) == 2 and not any("nut" in path.name for path in done)
    detector, said = BrightDetector(), []
    written, _ = go(place, detector=detector, said=said)
    assert detector.calls and all("nut" in call for call in detector.calls)
    assert sum("done already" in line for line in said) == 2
    reference, _ = go(place, out="fresh")
    a, b = (json.loads(path.read_text())["datasets"] for path in (written[0], reference[0]))
    for one in (*a["parts"]["classes"].values(), *b["parts"]["classes"].values()):
        one["seconds"] = 0
    assert a == b


def test_a_half_written_part_is_measured_again(place):
    go(place)
    path = parts.part_path(place / "out", "one", "parts", "nut")
    path.write_text(path.read_text()[:100])
    detector = BrightDetector()
    go(place, detector=detector)
    assert detector.calls and all("nut" in call for call in detector.calls)


def test_changed_data_or_settings_are_measured_again(place):
    go(place)
    write_class(place / "data" / "parts" / "nut", seed=9)
    detector = BrightDetector()
    go(place, detector=detector)
    assert detector.calls and all("nut" in call for call in detector.calls)
    (place / "suite.yaml").write_text(SUITE.replace("resolution: 32", "resolution: 40"))
    detector = BrightDetector()
    go(place, detector=detector)
    assert len({call.split("/test/")[0] for call in detector.calls}) == 3


def test_shards_merge_to_the_whole(place):
    whole, _ = go(place)
    for i in (1, 2):
        said = []
        written, _ = go(place, out=f"shard{i}", shard=(i, 2), said=said)
        assert written == [] and any("merge" in line for line in said)
    assert parts.collect([place / "shard1", place / "shard2"], place / "merged") == 3 + 2
    assert unfinished(place / "merged", "one") == []
    path = assemble(place / "merged", "one")
    a, b = (json.loads(p.read_text()) for p in (whole[0], path))
    assert record_problems(b) == []
    for found in (a, b):
        for one in found["datasets"]["parts"]["classes"].values():
            one["seconds"] = 0
    assert a["datasets"] == b["datasets"] and a["data"] == b["data"]


def test_merge_refuses_runs_of_different_kinds(place):
    go(place, out="shard1", shard=(1, 2))
    (place / "suite.yaml").write_text(SUITE.replace("bootstrap: 10", "bootstrap: 11"))
    go(place, out="shard2", shard=(2, 2))
    with pytest.raises(DatasetError, match="measured otherwise"):
        parts.collect([place / "shard1", place / "shard2"], place / "merged")
    with pytest.raises(DatasetError, match="no parts"):
        parts.collect([place / "nothing"], place / "merged")


def test_an_unfinished_merge_is_named(place):
    go(place, out="shard1", shard=(1, 2))
    parts.collect([place / "shard1"], place / "merged")
    assert assemble(place / "merged", "one") is None
    assert len(unfinished(place / "merged", "one")) == 1


@pytest.mark.parametrize("bad", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_shard_usage(bad):
    with pytest.raises(UsageError, match="shard"):
        parts.parse_shard(bad)


def test_incomplete_datasets_are_named_not_measured_silently(place):
    (place / "data" / "parts" / "nut" / "ground_truth" / "spot" / "000_mask.png").unlink()
    said = []
    written, _ = go(place, said=said)
    found = json.loads(written[0].read_text())
    assert found["missing"] == ["br35h", "absent", "parts"] and found["datasets"] == {}
    assert any("no mask" in line for line in said)
    written, _ = go(place, partial=True)
    found = json.loads(written[0].read_text())
    assert any("no mask" in line for line in found["data"]["parts"]["problems"])
    assert found["datasets"]["parts"]["classes"]["nut"]["n_images"] == 5
    assert len(found["datasets"]["parts"]["classes"]["nut"]["left_out"]) == 1


class Checker(HTMLParser):
    void = frozenset({"meta", "img", "br", "line", "polyline", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open, self.links, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_is_one_escaped_self_contained_file(place):
    go(place)
    records = read_records(place / "out")
    write_page(place / "report.html", records, place / "out", "A <title>")
    text = (place / "report.html").read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in checker.links)
    assert sum(link.startswith("data:") for link in checker.links) == 3 * 4 * 2
    shown = " ".join(checker.text)
    assert "<b>odd & name" in shown and "<b>odd" not in text
    for word in ("worst anomalous", "highest normal", "first & <only>", "br35h: not found", "Overlap per region"):
        assert word in shown
    assert text.count("<polyline") == 6


def test_the_report_shows_published_numbers_and_gaps(place):
    (place / "suite.yaml").write_text(
        "name: t\nruns:\n  - {name: a, entries: [{key: m, layout: mvtec-ad, path: parts}]}\n"
    )
    go(place, partial=True)
    text = page(read_records(place / "out"), place / "out", "t")
    assert "gap to AnomalyCLIP" in text and "best published, strict" in text and "Tables 1 and 2" in text


def test_markdown(place):
    go(place)
    text = quality_markdown(read_records(place / "out"))
    assert "Toy suite: one" in text and "| parts | 18 |" in text and "&lt;b&gt;odd" in text
    assert "br35h: not found" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") - line.count("\\|") == 11, line
    shown = published_markdown(["mvtec-ad", "parts"])
    assert "AnomalyCLIP (paper)" in shown and "L: " in shown and "V L" in shown


def test_polyline_lies_in_its_box():
    points = polyline([[0, 0], [0.3, 1]], 0.3)
    assert points == "0.0,110.0 150.0,0.0"


def test_reference_rows():
    rows = published()
    assert {row.method for row in rows} >= {BASELINE, "AnomalyCLIP (released checkpoints)", "CoPS"}
    assert set(rows[0].means) == {name for name, d in CATALOG.items() if d.suite}
    assert all(row.source and row.trained_on and row.leakage for row in rows)
    assert any(not row.strict for row in rows) and any(not row.verified for row in rows)
    assert baseline("mvtec-ad")["pixel_aupro_200step"] == pytest.approx(0.814)
    assert baseline("nothing") == {}
    assert best_strict("visa", "image_auroc") == (pytest.approx(0.929), "AnomalyVFM (RADIO)")
    assert best_strict("mvtec-ad", "image_auroc")[1] != "CoPS"
    for row in rows:
        for values in row.means.values():
            assert all(0.05 < value <= 1 for value in values.values())


@pytest.mark.parametrize("dataset", ["mvtec-ad", "visa"])
def test_published_classes_average_to_the_published_mean(dataset):
    row = next(row for row in published() if row.classes.get(dataset))
    assert set(row.classes[dataset]) == set(CATALOG[dataset].classes)
    for metric, mean in row.means[dataset].items():
        values = [one[metric] for one in row.classes[dataset].values()]
        assert math.fsum(values) / len(values) == pytest.approx(mean, abs=0.00101), metric
    assert baseline_class(dataset, CATALOG[dataset].classes[0])


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_suites(path):
    suite = load_suite(path)
    assert suite.name == path.stem and suite.title
    assert not re.search(r"(?<![\w.])/(work|home|data|mnt|tmp)", path.read_text())
    if path.stem in ("zero_shot_17", "published_protocol"):
        assert {name for run in suite.runs for name in run.datasets} == {n for n, d in CATALOG.items() if d.suite}


@pytest.mark.parametrize(
    "text, word",
    [
        ("name: a", "at least one run"),
        ("name: a\nruns: [{name: b, datasets: [mvtec]}]", "unknown dataset or layout 'mvtec'"),
        ("name: a\nruns: [{name: b, entries: [{layout: what}]}]", "'what'"),
        ("name: a\nruns: [{name: b}, {name: b}]", "unique"),
        ("name: a\nruns: [{name: ../b}]", "unique, of letters"),
        ("name: a\nspeed: 3\nruns: [{name: b}]", "unknown key 'speed'"),
        ("name: a\nresolution: big\nruns: [{name: b}]", "resolution 'big'"),
        ("name: [", "YAML"),
    ],
)
def test_suite_errors(tmp_path, text, word):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(word)):
        load_suite(tmp_path / "s.yaml")


def test_datasets_are_found_by_name_title_or_statement(tmp_path):
    suite = load_suite(SUITES / "zero_shot_17.yaml")
    for folder in ("MVTec_AD", "VisA", "brain mri", "DTD-Synthetic", "COVID-19"):
        (tmp_path / folder).mkdir()
    given = [DataSpec("tn3k", "tn3k", Path("elsewhere"))]
    found = locate(suite.runs[0], tmp_path, given)
    assert {spec.key: spec.path.name for spec in found.specs} == {
        "mvtec-ad": "MVTec_AD", "visa": "VisA", "brainmri": "brain mri", "dtd-synthetic": "DTD-Synthetic",
        "covid-19": "COVID-19", "tn3k": "elsewhere",
    }  # fmt: skip
    assert len(found.missing) == 17 - 6
    assert locate(suite.runs[0], None).specs == ()


def test_checksums_do_not_depend_on_the_place(tmp_path):
    from zsad.data.files import Report
    from zsad.data.layouts import mvtec

    hashes = []
    for name in ("a", "b"):
        write_class(tmp_path / name / "nut", seed=1)
        hashes.append(record.data_hash(mvtec(tmp_path / name, Report()), tmp_path / name))
    assert hashes[0] == hashes[1]
    (tmp_path / "b" / "nut" / "test" / "good" / "000.png").write_bytes(b"other")
    assert record.data_hash(mvtec(tmp_path / "b", Report()), tmp_path / "b") != hashes[0]


def test_record_facts():
    assert record.versions()["python"] and "numpy" in record.versions()
    machine = record.hardware()
    assert machine["cores"] >= 1 and machine["processor"]
    assert record.commit(Path("/")) == ""
    assert record.model_hash("ViT-L-14-336/openai") == ""


def test_speed_of_any_detector():
    speed = measure(BrightDetector(), size=(64, 48), batches=(1, 2), calls=5)
    data = json.loads(json.dumps(speed.to_json()))
    assert set(data["throughput"]) == {"1", "2"} and all(rate > 0 for rate in data["throughput"].values())
    assert data["latency"]["p50"] <= data["latency"]["p95"] <= data["latency"]["p99"]
    assert set(data["stages"]) == {"preprocess", "network", "mask and regions"}
    assert data["memory_mb"]["peak_rss"] > 0 and data["image"] == [64, 48]
    with pytest.raises(UsageError):
        measure(BrightDetector(), calls=1)


def test_a_run_with_shots_fits_each_class_and_a_mutual_one_says_so(tmp_path, monkeypatch):
    from tests.fitting.pictures import folder
    from tests.quick_trial import quick_trial

    quick_trial(monkeypatch)

    root = folder(tmp_path / "data" / "parts" / "disc" / "train" / "good", 2).parents[1]
    folder(root / "test" / "good", 2, first=20)
    folder(root / "test" / "spot", 2, first=40, spot=True)
    runs = "".join(
        f"  - {{name: {name}, {more}, entries: [{{key: parts, layout: mvtec, path: parts}}]}}\n"
        for name, more in (("few", "shots: '1', seeds: 2"), ("mutual", "mutual: true"), ("many", "shots: '9'"))
    )
    (tmp_path / "suite.yaml").write_text(f"name: toy\nresolution: 32\nruns:\n{runs}")
    said = []
    written, _ = go(tmp_path, detector=zsad.load(), said=said)
    few, mutual, many = (json.loads(path.read_text()) for path in written)
    assert not record_problems(few) and few["run"]["shots"] == "1" and few["run"]["seeds"] == 2
    assert "image_auroc" in few["datasets"]["parts"]["classes"]["disc"]["intervals"]
    assert "of its training split" in " ".join(said) and mutual["run"]["mutual"] is True
    assert (
        many["datasets"]["parts"]["classes"]["disc"]["image_auroc"] is not None
    )  # fewer than asked for, which is said
    text = quality_markdown([few, mutual])
    assert "a memory of 1 of its good images, means of 2 draws" in text and "Mutual: the images of each class" in text
    (tmp_path / "suite.yaml").write_text("name: x\nruns: [{name: y, shots: few}]")
    with pytest.raises(ConfigError, match="shots is a number or all"):
        load_suite(tmp_path / "suite.yaml")
