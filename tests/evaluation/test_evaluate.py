import hashlib
import json
import math
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

import zsad
from tests.contrast import Contrast
from tests.fakes import BrightDetector, write_class
from zsad.data.files import Report
from zsad.data.layouts import LAYOUTS
from zsad.errors import MetricError, ModelError, UsageError
from zsad.evaluation import METRICS, Table, evaluate
from zsad.evaluation.view import shrink_mask, view
from zsad.metrics import aupro
from zsad.types import Result, Thresholds


def samples_of(root):
    return [replace(s, dataset="toy") for s in LAYOUTS["mvtec"](root, Report())]


@pytest.fixture
def tree(tmp_path):
    write_class(tmp_path / "nut", seed=1)
    write_class(tmp_path / "bolt", n_good=2, n_bad=4, seed=2)
    return tmp_path


def test_smoke_and_json(tree):
    table = zsad.evaluate(BrightDetector(), samples_of(tree), bootstrap=20)
    data = json.loads(json.dumps(table.to_json(full=True), allow_nan=False))
    assert list(data["datasets"]) == ["toy"]
    classes = data["datasets"]["toy"]["classes"]
    assert classes["nut"]["n_images"] == 6 and classes["bolt"]["n_anomalous"] == 4
    for name in METRICS:
        assert 0 <= classes["nut"][name] <= 1
        mean = np.mean([classes[c][name] for c in classes])
        assert data["datasets"]["toy"]["mean"][name] == pytest.approx(mean, abs=1e-12)
    assert data["run"]["resolution"] == "model"
    low, high = classes["nut"]["intervals"]["pixel_auroc"]
    assert low <= classes["nut"]["pixel_auroc"] <= high
    again = Table.from_json(data)
    assert again.to_json(full=True) == table.to_json(full=True)


@pytest.mark.parametrize("resolution", ["model", "original", 32])
def test_reference(tree, resolution):
    """All metrics from maps and masks that this test resizes by itself."""
    samples = [s for s in samples_of(tree) if s.class_name == "nut"]
    detector = BrightDetector(tile=64 if resolution == 32 else None)  # from its own maps to 32 in one step
    got = evaluate(detector, samples, resolution=resolution).datasets["toy"].classes["nut"].metrics
    labels, scores, masks, maps = [], [], [], []
    for s in samples:
        values = np.asarray(Image.open(s.image))[..., 0].astype(np.float32) / 255
        truth = Image.open(s.mask) if s.mask else Image.fromarray(np.zeros(values.shape, np.uint8))
        labels.append(s.label)
        scores.append(values.max())
        if resolution != "original":
            side = 28 if resolution == "model" else resolution
            values = np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR))
            truth = truth.resize((side, side), Image.Resampling.BILINEAR)
        masks.append((np.asarray(truth) / 255 > 0.5).astype(np.uint8))
        maps.append(values)
    masks, maps = np.stack(masks), np.stack(maps)
    assert got["image_auroc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert got["image_ap"].value == pytest.approx(average_precision_score(labels, scores))
    assert got["pixel_auroc"].value == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-9)
    assert got["pixel_ap"].value == pytest.approx(average_precision_score(masks.ravel(), maps.ravel()), abs=1e-9)
    assert got["pixel_aupro"].value == pytest.approx(aupro(masks, maps).value)


def test_raw_maps_are_used_at_model_resolution(tree):
    samples = samples_of(tree)
    one, other = evaluate(BrightDetector(), samples), evaluate(BrightDetector(tile=64), samples)
    for name in METRICS:
        assert one.datasets["toy"].mean[name].value == pytest.approx(other.datasets["toy"].mean[name].value, abs=1e-6)
    shown = view(BrightDetector(), samples[0], "model")
    assert shown.map.shape == shown.mask.shape == (28, 28)
    assert view(BrightDetector(), samples[0], "original").map.shape == (40, 52)


def test_no_score_changes_when_other_images_do(tree):
    """Strict protocol: every score and map of an image is the same alone, among others, and in any order."""
    samples = samples_of(tree)
    whole = evaluate(BrightDetector(), samples, save_maps=tree / "maps_a")
    scores = {(c.name, r.key): r.score for c in whole.datasets["toy"].classes.values() for r in c.images}
    reordered = evaluate(BrightDetector(), samples[::-1][:7], save_maps=tree / "maps_b")
    alone = [evaluate(BrightDetector(), [s], save_maps=tree / "maps_c") for s in samples[:3]]
    for table in (reordered, *alone):
        for one in table.datasets["toy"].classes.values():
            for record in one.images:
                assert record.score == scores[one.name, record.key]
    maps = {p.relative_to(tree / "maps_a"): np.load(p) for p in (tree / "maps_a").rglob("*.npy")}
    assert len(maps) == len(samples)
    for folder in ("maps_b", "maps_c"):
        for path in (tree / folder).rglob("*.npy"):
            assert np.array_equal(np.load(path), maps[path.relative_to(tree / folder)])


def test_lanes_work_side_by_side_with_the_same_results(tree):
    """Two threads are in the detector at a time; order, figures and what is left out are those of one."""
    together = threading.Barrier(2)

    class Lanes(BrightDetector):
        def side_by_side(self):
            return self, 2

        def raw(self, image):
            together.wait(timeout=20)  # breaks unless two threads are here at a time
            return super().raw(image)

    (tree / "bolt" / "test" / "good" / "001.png").write_bytes(b"x")
    samples = samples_of(tree)[:5] + samples_of(tree)[6:]
    one, two = evaluate(BrightDetector(), samples).to_json(full=True), evaluate(Lanes(), samples).to_json(full=True)
    for table in (one, two):
        for data in table["datasets"]["toy"]["classes"].values():
            del data["seconds"]
    assert one == two and len(one["datasets"]["toy"]["classes"]["bolt"]["left_out"]) == 1


def test_the_table_says_how_it_came_about(tree):
    run = evaluate(BrightDetector(), samples_of(tree), data={"toy": {"layout": "mvtec"}}).run
    assert list(run) == ["model", "backbone", "image_size", "resolution", "bootstrap", "seed", "card_sha256",
                         "versions", "data"]  # fmt: skip
    assert run["card_sha256"] == hashlib.sha256(BrightDetector().card.to_json().encode()).hexdigest()
    assert run["versions"]["numpy"] == np.__version__ and run["data"] == {"toy": {"layout": "mvtec"}}
    assert evaluate(BrightDetector(), []).run["data"] == {}


def test_progress_is_told_of_each_image_in_order(tree):
    told = []
    evaluate(BrightDetector(), samples_of(tree), progress=lambda sample: told.append(sample.image))
    assert told == [sample.image for sample in samples_of(tree)]


def test_what_the_detector_is_to_blame_for_ends_the_evaluation(tree):
    class Broken(BrightDetector):
        def raw(self, image):
            raise ModelError("weights are damaged")

    with pytest.raises(ModelError, match="damaged"):
        evaluate(Broken(), samples_of(tree))


def test_an_image_that_changes_while_it_is_measured_is_left_out(tree):
    path = tree / "nut" / "test" / "good" / "001.png"

    class Changing(BrightDetector):
        def raw(self, image):
            if image.name == str(path):
                Image.new("RGB", (52, 40)).save(path)
            return super().raw(image)

    (line,) = evaluate(Changing(), samples_of(tree)).left_out
    assert "good/001.png: changed while it was read; run again" in line


def test_one_image_at_a_time(tree):
    class Strict(BrightDetector):
        def batch(self, images, **options):
            raise AssertionError("evaluation must not batch")

    assert evaluate(Strict(), samples_of(tree)).datasets["toy"].classes["nut"].n_images == 6


def test_unreadable_inputs_are_named_and_counted(tree):
    (tree / "nut" / "test" / "good" / "001.png").write_bytes(b"")
    damaged = tree / "nut" / "test" / "spot" / "002.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    Image.new("L", (9, 9)).save(tree / "nut" / "ground_truth" / "spot" / "000_mask.png")
    table = evaluate(BrightDetector(), samples_of(tree))
    nut = table.datasets["toy"].classes["nut"]
    assert (nut.n_images, nut.n_normal, nut.n_anomalous) == (3, 2, 1)
    text = "\n".join(table.left_out)
    assert len(table.left_out) == 3
    assert "good/001.png: empty file" in text
    assert "spot/002.png" in text and "truncated" in text
    assert "9 x 9" in text and "52 x 40" in text
    assert table.to_json()["datasets"]["toy"]["classes"]["nut"]["left_out"] == list(nut.left_out)


def test_missing_truth_is_left_out_not_taken_for_normal(tree):
    samples = [s for s in samples_of(tree) if s.class_name == "nut"]
    anomalous = [i for i, s in enumerate(samples) if s.label]
    samples[anomalous[0]] = replace(samples[anomalous[0]], mask=None)
    samples[anomalous[1]] = replace(samples[anomalous[1]], label=None)
    table = evaluate(BrightDetector(), samples)
    assert table.datasets["toy"].classes["nut"].n_images == 4
    assert any("its mask is absent" in line for line in table.left_out)
    assert any("no label" in line for line in table.left_out)


def test_undefined_metrics_are_null_with_reason(tree):
    shutil.rmtree(tree / "nut" / "test" / "good")
    shutil.rmtree(tree / "bolt" / "ground_truth")
    data = json.loads(json.dumps(evaluate(BrightDetector(), samples_of(tree)).to_json(), allow_nan=False))
    nut, bolt = (data["datasets"]["toy"]["classes"][c] for c in ("nut", "bolt"))
    assert nut["image_auroc"] is None and "nothing is normal" in nut["reasons"]["image_auroc"]
    assert nut["pixel_auroc"] is not None
    assert bolt["pixel_aupro"] is None and "no masks" in bolt["reasons"]["pixel_aupro"]
    mean = data["datasets"]["toy"]["mean"]
    assert mean["image_auroc"] == bolt["image_auroc"] and "without nut" in mean["reasons"]["image_auroc"]
    only = evaluate(BrightDetector(), [s for s in samples_of(tree) if s.class_name == "nut"])
    assert math.isnan(only.datasets["toy"].mean["image_auroc"].value)


def test_everything_unreadable_is_no_zero(tree):
    for path in (tree / "nut" / "test").rglob("*.png"):
        path.write_bytes(b"x")
    data = evaluate(BrightDetector(), [s for s in samples_of(tree) if s.class_name == "nut"]).to_json()
    one = data["datasets"]["toy"]["classes"]["nut"]
    assert one["n_images"] == 0 and one["image_auroc"] is None and len(one["left_out"]) == 6


def test_large_classes_stream_and_run_twice_if_needed(tree):
    samples = [s for s in samples_of(tree) if s.class_name == "bolt"]
    exact = evaluate(BrightDetector(), samples).datasets["toy"].classes["bolt"].metrics
    detector = BrightDetector()
    streamed = evaluate(detector, samples, exact_pixels=0).datasets["toy"].classes["bolt"].metrics
    for name, metric in exact.items():
        assert abs(streamed[name].value - metric.value) <= streamed[name].bound + 1e-12
    assert max(metric.bound for metric in streamed.values()) <= 1e-4
    assert len(detector.calls) in (len(samples), 2 * len(samples))


@pytest.mark.parametrize("where", ["score", "map"])
def test_nan_raises(tree, where):
    class Broken(BrightDetector):
        def __call__(self, image):
            result = super().__call__(image)
            return Result(np.nan, result.map) if where == "score" else Result(0.5, result.map * np.nan)

    with pytest.raises(MetricError, match=rf"{where} of test/good/000.png: .*NaN"):
        evaluate(Broken(), samples_of(tree / "nut"))


def test_exif_rotation_is_ignored_where_masks_are_paired():
    from zsad.evaluation.view import upright

    assert upright(BrightDetector()).orient is False
    plain = BrightDetector(orient=False)
    assert upright(plain) is plain


def test_masks_are_resized_as_published():
    mask = np.zeros((100, 60), np.uint8)
    mask[10:50, 20:40] = 1
    small = shrink_mask(mask, 20)
    assert small.shape == (20, 20) and set(np.unique(small)) == {0, 1}
    assert small.mean() == pytest.approx(mask.mean(), abs=0.03)
    assert not shrink_mask(np.eye(400, dtype=np.uint8), 20).any()  # thin lines vanish, as they do in published figures


@pytest.mark.parametrize("bad", ["big", 3, "0", 10**6])
def test_errors_resolution(bad):
    with pytest.raises(UsageError, match="resolution"):
        evaluate(BrightDetector(), [], resolution=bad)


@pytest.mark.parametrize("resolution", ["model", "original"])
@pytest.mark.parametrize(
    "judged", [Thresholds(0.9), Thresholds(pixel=0.5, min_area=0.3), Thresholds(0.9, 0.5, 0.3, "score")]
)
def test_verdicts_are_those_of_the_detector_on_the_whole_image(tree, resolution, judged):
    detector = BrightDetector(thresholds=judged)
    samples = samples_of(tree)
    table = evaluate(detector, samples, resolution=resolution)
    if resolution == "original":
        verdicts = [(sample, detector(sample.image).verdict) for sample in samples]
        classes = table.datasets["toy"].classes
        for name, one in classes.items():
            mine = [(s.label, verdict) for s, verdict in verdicts if s.class_name == name]
            assert one.verdicts.rejected == mine.count((0, "anomalous"))
            assert one.verdicts.missed == mine.count((1, "normal"))
    data = json.loads(json.dumps(table.to_json(full=True)))
    assert data["run"]["thresholds"]["rule"] == (judged.rule or "either")
    assert Table.from_json(data).to_json(full=True) == table.to_json(full=True)
    assert "verdicts" not in json.dumps(evaluate(BrightDetector(), samples).to_json(full=True))


@pytest.mark.parametrize("judged", [Thresholds(0.5, 0.6), Thresholds(pixel=0.6, min_area=0.01)])
def test_verdicts_at_model_resolution_are_those_of_detect(tmp_path, judged):
    """The map is judged at the image's own size, whatever size metrics are measured at."""
    write_class(tmp_path / "nut", seed=3)
    detector = Contrast(thresholds=judged)
    samples = samples_of(tmp_path)
    table = evaluate(detector, samples).datasets["toy"].classes["nut"]
    expected = [detector(sample.image).verdict for sample in samples]
    by_key = {record.key: record.verdict for record in table.images}
    assert [by_key[sample.key or str(sample.image)] for sample in samples] == expected and len(set(expected)) > 0
