"""Scores against labels: figures, lengths that differ, files that are absent or damaged, and the commands."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from tests.video import label_folders
from tests.video.label_folders import MSAD_LENGTHS, UCF_LENGTHS, write
from zsad.cli import app
from zsad.cli.video import methods
from zsad.errors import DatasetError, InputError, UsageError
from zsad.metrics.spans import IOUS
from zsad.video.evaluation import evaluate, facts, pixel_level, read_scores
from zsad.video.evaluation.by_method import score_videos
from zsad.video.labels import load_labels
from zsad.video.labels.ucsd import read_masks
from zsad.video.series import ScoreSeries, write_series


@pytest.fixture
def labels(tmp_path):
    return load_labels("ucf-crime", label_folders.ucf(tmp_path / "labels"))


@pytest.fixture
def scores(tmp_path):
    """Random scores, each video's in another form."""
    folder, rng = tmp_path / "scores", np.random.default_rng(0)
    folder.mkdir()
    values = {name: rng.normal(size=n) for name, n in UCF_LENGTHS.items()}
    np.save(folder / "Abuse001_x264.npy", values["Abuse001_x264"].astype(np.float32))
    write_series(folder / "Fire.One_x264.json", series(values["Fire.One_x264"]))
    write_series(folder / "Normal_Videos_003_x264" / "scores.json", series(values["Normal_Videos_003_x264"]))
    return folder


def series(values, stride=1, n=None, **more):
    positions = np.arange(len(values)) * stride
    kept = {"refiners": ("gaussian 9",), "model": "drawn"} | more
    return ScoreSeries(values, positions, positions / 30, n or len(values), 30.0, "made", **kept)


def test_figures_are_those_of_joined_frames(labels, scores):
    got = evaluate(labels, read_scores(scores, labels), threshold=1.0, bootstrap=50)
    truth = np.concatenate([video.truth() for video in labels.videos])
    values = np.concatenate([read_scores(scores, labels).scores[video.name].values for video in labels.videos])
    assert got.metrics["auc"].value == pytest.approx(roc_auc_score(truth, values))
    assert {name: each["auc"] for name, each in facts(labels)["baselines"].items()} == pytest.approx(
        {name: each["auc"].value for name, each in got.baselines.items()}
    )
    assert got.series == {"methods": ["made", "unnamed (.npy)"], "models": ["drawn"], "refiners": ["gaussian 9"],
                          "partial": []}  # fmt: skip
    low, high = got.intervals["auc"]
    assert low <= got.metrics["auc"].value <= high
    assert got.alarms.events == 3 and got.alarms.normal_hours == pytest.approx((214 - 86) / 30 / 3600)
    assert json.loads(json.dumps(got.to_dict(), allow_nan=False))["top1"] is None


def rewritten(scores, name, values):
    for old in (scores / f"{name}.npy", scores / f"{name}.json"):
        old.unlink(missing_ok=True)
    np.save(scores / f"{name}.npy", values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros(7), "scores of 7 frames, but the labels of Abuse001_x264 have 100; one score per 16 frames?"),
        (np.zeros(6), "of 6 frames.*one score per 16 frames"),
        (np.zeros(13), "one score per 8 frames"),
        (np.zeros(96), "whole snippets of 16 frames only"),
        (np.zeros(101), "the decoder counted other frames"),
        (np.zeros(1000), "10 scores per frame, such as those of crops"),
        (np.zeros(170), "another video, or another version of it"),
        (np.array([0, np.nan, np.inf, 0.0]), "2 of 4 scores are NaN or infinite, first at frame 1"),
        (np.zeros((10, 10)), "must be one score per frame, .frames,.; it holds 10 x 10"),
        (np.zeros(0), "it holds 0"),
        (np.array(["a"]), "must be one array of numbers"),
    ],
)
def test_scores_that_do_not_fit(labels, scores, values, says):
    rewritten(scores, "Abuse001_x264", values)
    with pytest.raises(DatasetError, match=says) as raised:
        evaluate(labels, read_scores(scores, labels))
    assert "\n" not in str(raised.value) and "Abuse001_x264" in str(raised.value)


def test_positions_stand_for_the_frames_after_them_and_partial_scores_are_named(labels, scores):
    (scores / "Abuse001_x264.npy").unlink()
    write_series(scores / "Abuse001_x264.json", series(np.arange(7.0), stride=16, n=100))
    assert evaluate(labels, read_scores(scores, labels)).metrics["auc"].value > 0
    write_series(scores / "Abuse001_x264.json", series(np.arange(3.0), stride=16, n=40, partial=True))
    with pytest.raises(DatasetError, match=r"40 frames, but .* have 100; the scores are partial"):
        evaluate(labels, read_scores(scores, labels))
    text = (scores / "Abuse001_x264.json").read_text().replace("1.0, 2.0]", "NaN, 2.0]", 1)
    (scores / "Abuse001_x264.json").write_text(text)
    with pytest.raises(InputError, match="Abuse001_x264"):
        read_scores(scores, labels)


def test_absent_scores_are_counted_and_named(labels, scores, tmp_path):
    (scores / "Abuse001_x264.npy").unlink()
    with pytest.raises(DatasetError, match=r"no scores of 1 of 3 videos, first Abuse001_x264; they are NAME.json"):
        read_scores(scores, labels)
    some = evaluate(labels, read_scores(scores, labels, partial=True))
    assert some.left_out == ("Abuse001_x264",) and len(some.labels.videos) == 2
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="no scores of 3 of 3"):
        read_scores(tmp_path / "none", labels, partial=True)
    with pytest.raises(DatasetError, match="no such folder of scores"):
        read_scores(tmp_path / "nowhere", labels)


def test_two_files_for_a_video_and_files_for_none(labels, scores):
    (scores / "index.html").write_text("x")
    np.save(scores / "Other.npy", np.zeros(3))
    notes = evaluate(labels, read_scores(scores, labels)).notes
    assert "1 files of scores belong to no video of the test set, first Other.npy" in notes
    np.save(scores / "Fire.One_x264.npy", np.zeros(64))
    with pytest.raises(DatasetError, match=r"Fire.One_x264 has Fire.One_x264.json and Fire.One_x264.npy; keep one"):
        read_scores(scores, labels)


def test_names_that_keep_the_video_ending_are_found(labels, scores):
    (scores / "Abuse001_x264.npy").rename(scores / "Abuse001_x264.mp4.npy")
    assert set(read_scores(scores, labels).scores) == set(UCF_LENGTHS)


def test_the_fields_cut_takes_scores_of_either_length(tmp_path):
    xd = load_labels("xd-violence", label_folders.xd(tmp_path / "labels"))
    results = []
    for cut in (False, True):
        folder = tmp_path / f"scores{cut}"
        folder.mkdir()
        for i, video in enumerate(xd.videos):
            values = np.random.default_rng(i).normal(size=video.raw_frames)
            np.save(folder / f"{video.name}.npy", values[: video.n_frames] if cut else values)
        results.append(evaluate(xd, read_scores(folder, xd)).metrics["ap"].value)
    assert results[0] == results[1]


def test_one_array_for_all_videos_is_cut_by_the_scores(tmp_path):
    msad = load_labels("msad", label_folders.msad(tmp_path / "labels"))
    folder = tmp_path / "scores"
    folder.mkdir()
    for name, n in MSAD_LENGTHS.items():
        np.save(folder / f"{name}.npy", np.zeros(n + 5))  # whole snippets are counted
    got = evaluate(msad, read_scores(folder, msad))
    assert [video.spans for video in got.labels.videos] == [((4, 20),), ((8, 12),), ()]
    assert got.baselines["video_oracle"]["auc"].value == pytest.approx((48 + 28 / 2) / 76)
    np.save(folder / "Assault_2.npy", np.zeros(48))
    np.save(folder / "MSAD_normal_testing_119.npy", np.zeros(32))
    with pytest.raises(DatasetError, match="no anomalous frame falls into Object_falling_7"):
        evaluate(msad, read_scores(folder, msad))
    for name, n in MSAD_LENGTHS.items():
        np.save(folder / f"{name}.npy", np.zeros(n // 16))
    with pytest.raises(DatasetError, match="6 frames in all, the labels 96; one score per 16 frames"):
        evaluate(msad, read_scores(folder, msad))
    with pytest.raises(DatasetError, match="1 videos without scores"):
        (folder / "Assault_2.npy").unlink()
        evaluate(msad, read_scores(folder, msad, partial=True))


def test_the_weak_split_of_shanghaitech(tmp_path):
    weak = load_labels("shanghaitech@weak", label_folders.shanghai(tmp_path / "labels"))
    folder = tmp_path / "scores"
    folder.mkdir()
    np.save(folder / "02_0128.npy", np.arange(20.0))  # the video's own length; its last score is held
    for name in ("01_001", "03_005"):
        np.save(folder / f"{name}.npy", np.zeros(30))
    got = evaluate(weak, read_scores(folder, weak))
    assert got.metrics["auc_macro"].value == 1 and got.labels.frames == 92


def test_own_labels_in_seconds(tmp_path):
    write(tmp_path / "mine.csv", "name,start,end,label\na,1.0,2.0,fire\nb,,,normal\n")
    own = load_labels(f"csv:{tmp_path / 'mine.csv'}", None)
    folder = tmp_path / "scores"
    folder.mkdir()
    # A variable rate: the second second has ten frames, the others five.
    times = np.concatenate([np.arange(5) / 5, 1 + np.arange(10) / 10, 2 + np.arange(5) / 5])
    write_series(folder / "a.json", ScoreSeries(np.zeros(20), np.arange(20), times, 20, 6.7, "made"))
    np.save(folder / "b.npy", np.zeros(4))
    got = evaluate(own, read_scores(folder, own))
    assert got.labels.videos[0].spans == ((5, 15),) and got.labels.positives == 10
    with pytest.raises(DatasetError, match="so that delays and alarms per hour have no unit"):
        evaluate(own, read_scores(folder, own), threshold=0.5)
    (folder / "a.json").unlink()
    np.save(folder / "a.npy", np.zeros(20))
    with pytest.raises(DatasetError, match="its spans are in seconds, and nobody says how many frames a second"):
        evaluate(own, read_scores(folder, own))
    assert evaluate(own, read_scores(folder, own), fps=5).labels.videos[0].spans == ((5, 10),)
    with pytest.raises(DatasetError, match="span 1 to 2 s lies past the video, of 1 s"):
        evaluate(own, read_scores(folder, own), fps=20)


def test_own_spans_past_the_end(tmp_path):
    write(tmp_path / "mine.csv", "name,start,end,label\na,3,30,fire\n")
    own = load_labels(f"csv:{tmp_path / 'mine.csv'}", None)
    (tmp_path / "a.npy").write_bytes(b"")
    np.save(tmp_path / "a.npy", np.zeros(20))
    with pytest.raises(DatasetError, match="the span 3 to 30 lies past the 20 frames of its scores"):
        evaluate(own, read_scores(tmp_path, own))


def oracle_classes(labels, folder, names, spoil=None):
    for video in labels.videos:
        n = video.raw_frames or video.n_frames
        columns = {name: np.full(n, 0.1) for name in names}
        for start, end, label in video.events:
            columns[next(name for name in names if name.lower() == label.lower())][start:end] = 0.9
        if not video.events:
            columns[names[0]][:] = np.linspace(0.8, 0.9, n)
        if spoil:
            spoil(video, columns)
        write_series(folder / video.name / "scores.json", series(np.zeros(n), classes=columns))


def test_classes_of_a_perfect_detector(labels, tmp_path):
    oracle_classes(labels, tmp_path / "s", ["Normal", "abuse", "fire"])
    found = evaluate(labels, read_scores(tmp_path / "s", labels)).classes
    assert [found.map[iou].value for iou in IOUS] == [1.0] * 5 and found.top1.value == 1
    # Their list calls the class Normal and their labels A, so that one of three classes counts 0.
    assert [found.map_vadclip[iou].value for iou in IOUS] == pytest.approx([2 / 3] * 5)
    assert found.per_class == {"Abuse": 1.0, "Fire": 1.0}


def test_classes_that_are_wrong_or_absent(labels, tmp_path):
    def swapped(video, columns):
        columns["abuse"], columns["fire"] = columns["fire"], columns["abuse"]

    oracle_classes(labels, tmp_path / "s", ["Normal", "abuse", "fire"], swapped)
    found = evaluate(labels, read_scores(tmp_path / "s", labels)).classes
    assert found.top1.value == 0 and found.map[0.1].value == 0
    for video in labels.videos:
        one = series(np.zeros(video.n_frames), classes={"fire": np.zeros(video.n_frames)})
        write_series(tmp_path / "s" / video.name / "scores.json", one)
    assert evaluate(labels, read_scores(tmp_path / "s", labels)).classes.top1.reason == (
        "no scores of the class Abuse, which is labelled"
    )


@pytest.fixture
def ped2(tmp_path):
    """Ped2 with masks of two pixels' height for its second video, and maps that know them."""
    from PIL import Image

    place, maps = tmp_path / "labels", np.zeros((180, 4, 6), np.float32)
    label_folders.frames(place)
    (place / "UCSDped2/Test/Test002_gt").mkdir(parents=True)
    (tmp_path / "scores").mkdir()
    rng = np.random.default_rng(0)
    for i in range(180):
        mask = np.zeros((4, 6), np.uint8)
        mask[1:3, i % 5] = 255 * (i < 40)
        maps[i] = mask / 255 + rng.normal(size=mask.shape) / 2
        Image.fromarray(mask).save(place / f"UCSDped2/Test/Test002_gt/Test002_frame{i + 1:03d}_gt.bmp")
    labels = load_labels("ucsd-ped2", place)
    for video in labels.videos:
        np.save(tmp_path / "scores" / f"{video.also[1]}.npy", np.arange(float(video.n_frames)))
    np.save(tmp_path / "scores" / "Test002.maps.npy", maps)
    return labels, place, tmp_path / "scores"


def test_the_pixel_level(ped2):
    labels, place, folder = ped2
    found, left = pixel_level(labels, place, folder, partial=True)
    masks = read_masks(place / "UCSDped2/Test/Test002_gt", 180)
    maps = np.load(folder / "Test002.maps.npy", allow_pickle=False)
    assert found["pixel_auroc"].value == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel())) and len(left) == 11
    done = typed("video", "eval", "ucsd-ped2", "--labels", place, "--scores", folder, "--pixel", "--partial")
    assert (
        done.exit_code == 0
        and "pixel level: P-AUC" in done.output
        and "without 11 videos, first Test001" in done.output
    )
    with pytest.raises(DatasetError, match="no UCSDped2/Test/Test001_gt, which the pixel level of Test001 needs"):
        pixel_level(labels, place, folder)
    np.save(folder / "Test002.maps.npy", maps[:, :3])
    with pytest.raises(
        DatasetError, match="holds float32 180 x 3 x 6; it must be floats of the masks' size, 180 x 4 x 6"
    ):
        pixel_level(labels, place, folder, partial=True)
    maps[3, 1, 1] = np.nan
    np.save(folder / "Test002.maps.npy", maps)
    with pytest.raises(InputError, match="the map of frame 3 has values that are NaN"):
        pixel_level(labels, place, folder, partial=True)
    (folder / "Test002.maps.npy").unlink()
    with pytest.raises(DatasetError, match="no video has both masks"):
        pixel_level(labels, place, folder, partial=True)
    with pytest.raises(UsageError, match="tad has no masks of pixels"):
        pixel_level(load_labels("tad", label_folders.tad(place)), place, folder)


class Scorer:
    """Scores each frame by its number."""

    name = "counting"

    def score(self, source, on_frame=lambda done, total: None):
        on_frame(1, 2)
        n = UCF_LENGTHS[source.name.removesuffix(".mp4")]
        return ScoreSeries(np.arange(n), np.arange(n), np.arange(n) / 25, n, 25.0, self.name)


def test_a_method_scores_the_videos_of_a_test_set(labels, tmp_path):
    data = tmp_path / "videos"
    for name in UCF_LENGTHS:
        write(data / name[:2] / f"{name}.mp4", "")
    kept, told = [], []
    found = score_videos(Scorer(), labels, data, keep=lambda name, series: kept.append(name),
                         progress=lambda *words: told.append(words))  # fmt: skip
    assert kept == [video.name for video in labels.videos] and told[0] == ("Abuse001_x264", 1, 2)
    assert evaluate(labels, found).series["methods"] == ["counting"]
    write(data / "again" / "Abuse001_x264.mp4", "")
    with pytest.raises(DatasetError, match=r"Abuse001_x264: .* have its name"):
        score_videos(Scorer(), labels, data)
    for path in data.rglob("Abuse001*"):
        path.unlink()
    with pytest.raises(DatasetError, match="no video for 1 of 3 labels, first Abuse001_x264"):
        score_videos(Scorer(), labels, data)
    assert score_videos(Scorer(), labels, data, partial=True).absent == ("Abuse001_x264",)


def typed(*words):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "160", "TERM": "dumb"})


def test_the_commands(labels, scores, tmp_path):
    place = tmp_path / "labels"
    done = typed("video", "data", "ucf-crime@revised", "--labels", place, "--json", "-")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [found[key] for key in ("videos", "abnormal", "frames", "positives")] == [3, 2, 214, 76]
    assert set(found["baselines"]) == {"video_oracle", "centre_prior", "product"}
    shown = typed("video", "data", "ucf-crime", "--labels", place)
    assert "3 videos, 2 abnormal, 214 frames, 86 anomalous" in shown.output
    assert "labels: official; figures on ucf-crime@revised are not comparable" in shown.output
    out = tmp_path / "f.json"
    done = typed("video", "eval", "ucf-crime", "--labels", place, "--scores", scores, "--json", out, "--bootstrap", 20,
                 "--threshold", 0.5)  # fmt: skip
    assert done.exit_code == 0, done.output
    for word in ("ucf-crime@official", "oracle x centre", "95 % interval", "made, unnamed (.npy)", "gaussian 9",
                 "false alarms in", "not comparable", "classes: the scores have no classes"):  # fmt: skip
        assert word in done.output, word
    written = json.loads(out.read_text())
    assert set(written["metrics"]) == {"auc", "auc_abnormal", "auc_macro", "ap", "pr_auc_trapezoid"}
    assert written["alarms"]["events"] == 3 and written["version"] == "official"
    assert typed("video", "eval", "ucf-crime", "--labels", place, "--scores", scores, "--json", out).exit_code == 0
    (tmp_path / "own.json").write_text("{}\n")
    assert typed("video", "eval", "ucf-crime", "--labels", place, "--scores", scores, "--json", tmp_path / "own.json"
                 ).exit_code == 2  # fmt: skip


def counting(name, choices):
    """Build the method that tests register."""
    return Scorer()


def test_a_method_is_measured_by_its_name(labels, tmp_path, monkeypatch):
    monkeypatch.setitem(methods.METHODS, "counting", "tests.video.test_evaluation:counting")
    for name in UCF_LENGTHS:
        write(tmp_path / "videos" / f"{name}.mp4", "")
    words = ("video", "eval", "ucf-crime", "--labels", tmp_path / "labels")
    done = typed(*words, "--method", "counting", "--data", tmp_path / "videos", "--keep", tmp_path / "kept", "--json",
                 tmp_path / "a.json")  # fmt: skip
    assert done.exit_code == 0 and "counting" in done.output, done.output
    assert typed(*words, "--scores", tmp_path / "kept", "--json", tmp_path / "b.json").exit_code == 0
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_exit_codes(labels, scores, tmp_path):
    place = tmp_path / "labels"
    for words, code, says in [
        (["eval", "ucf-crim", "--labels", place, "--scores", scores], 2, "did you mean ucf-crime?"),
        (["eval", "ucf-crime@x", "--labels", place, "--scores", scores], 2, "no version 'x'"),
        (["eval", "ucf-crime", "--labels", place], 2, "give what is measured: --scores DIR"),
        (["eval", "ucf-crime", "--labels", tmp_path / "no", "--scores", scores], 1, "no such folder of labels"),
        (
            ["eval", "ucf-crime", "--labels", place, "--scores", scores, "--compat", "cut8"],
            2,
            "no rule is called 'cut8'",
        ),
        (["eval", "ucf-crime", "--labels", place, "--scores", scores, "--threshold", "nan"], 2, "finite number"),
        (["eval", "ucf-crime", "--labels", place, "--method", "motion"], 2, "go together"),
        (["eval", "ucf-crime", "--labels", place, "--method", "motoin", "--data", place], 2, "did you mean motion?"),
        (
            ["eval", "ucf-crime", "--labels", place, "--method", "motion", "--scores", scores],
            2,
            "give what is measured",
        ),
        (["data", "tad", "--labels", place], 1, "no UMIL/TAD_test.txt in it"),
        (["data", "tad"], 2, "needs the folder of its labels"),
    ]:
        done = typed("video", *words)
        assert done.exit_code == code and says in done.output.replace("\n", " "), done.output
    (scores / "Abuse001_x264.npy").unlink()
    done = typed("video", "eval", "ucf-crime", "--labels", place, "--scores", scores, "--partial")
    assert done.exit_code == 1 and "not measured: 1 videos without scores, first Abuse001_x264" in done.output
