"""Labels of test sets: small folders in every format, the published sets where they are, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from tests.video import label_folders
from tests.video.label_folders import save, write
from zsad.errors import DatasetError, UsageError
from zsad.metrics.frames import VideoFrames, frame_metrics, video_oracle
from zsad.video.evaluation import facts
from zsad.video.labels import VIDEO_DATASETS, load_labels, parse_dataset
from zsad.video.labels.frame_arrays import AVENUE
from zsad.video.labels.ucsd import mask_folder, read_masks

REAL = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "vad_labels"
published = pytest.mark.skipif(not REAL.is_dir(), reason="the published labels are not here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return label_folders.everything(tmp_path_factory.mktemp("labels"))


def counts(labels):
    return len(labels.videos), labels.abnormal, labels.frames, labels.positives


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ucf-crime", (3, 2, 214, 20 + 50 + 16)),
        ("ucf-crime@revised", (3, 2, 214, 10 + 50 + 16)),
        ("tad", (3, 2, 120, 10 + 40)),
        ("xd-violence", (3, 2, 48 + 32 + 16, 10 + 18 + 15)),
        ("shanghaitech", (2, 2, 53, 11)),
        ("shanghaitech@weak", (3, 1, 96, 17)),
        ("msad", (3, 2, 96, 20)),
        ("avenue", (21, 21, 15324, 105)),
        ("ucsd-ped2", (12, 12, 2010, 60)),
        ("ucsd-ped1", (36, 36, 7200, 36 * 61)),
        ("ubnormal", (3, 2, None, 25)),
    ],
)
def test_every_format_is_read(folder, name, wanted):
    labels = load_labels(name, folder)
    assert counts(labels) == wanted
    assert any("not the published set" in note for note in labels.notes) == (name not in ("ucsd-ped1", "ubnormal"))


@published
@pytest.mark.parametrize(("name", "version"), [(n, v) for n, row in VIDEO_DATASETS.items() for v in row.facts])
def test_the_published_sets_have_the_published_counts(name, version):
    labels = load_labels(f"{name}@{version}" if version else name, REAL)
    assert counts(labels) == VIDEO_DATASETS[name].facts[version]
    assert not any("not the published set" in note for note in labels.notes)


@published
def test_facts_of_the_published_sets():
    official, revised = (load_labels(f"ucf-crime@{v}", REAL) for v in ("official", "revised"))
    assert (official.positives, revised.positives) == (84_182, 88_094)
    differ = [a.name for a, b in zip(official.videos, revised.videos, strict=True) if a.spans != b.spans]
    assert len(differ) == 14 and "Burglary076_x264" in differ
    found = facts(official)["baselines"]
    assert [round(100 * found[name]["auc"], 1) for name in found] == [81.6, 61.9, 86.5]
    assert round(100 * found["centre_prior"]["auc_abnormal"], 1) == 63.4
    assert round(100 * facts(revised)["baselines"]["product"]["auc"], 1) == 86.6
    xd = facts(load_labels("xd-violence", REAL))
    assert xd["raw"] == {"frames": 2_335_801, "positives": 538_324} and (xd["videos"], xd["abnormal"]) == (800, 500)
    oracle = xd["baselines"]["video_oracle"]
    assert round(100 * oracle["ap"], 1) == 49.9 and round(100 * oracle["auc"], 1) == 84.9
    assert any(
        v.name == "City.of.God.2002__#01-24-10_01-25-10_label_B2-0-0" for v in load_labels("xd-violence", REAL).videos
    )
    right, wrong = load_labels("tad", REAL), load_labels("tad", REAL, ["start-gt-0"])
    assert (right.positives, wrong.positives) == (10_609, 5_832) and right.abnormal - wrong.abnormal == 13
    assert round(100 * facts(right)["baselines"]["video_oracle"]["auc"], 1) == 92.7
    # Who knows the truth is not even the best by the wrong labels.
    knowing = [VideoFrames(w.truth(), video_oracle(r.truth())) for w, r in zip(wrong.videos, right.videos, strict=True)]
    perfect = [VideoFrames(w.truth(), r.truth() * 1.0) for w, r in zip(wrong.videos, right.videos, strict=True)]
    assert [round(100 * frame_metrics(one)["auc"].value, 1) for one in (knowing, perfect)] == [90.1, 96.9]


@published
def test_arrays_that_others_made_of_the_same_labels_agree():
    avenue = np.concatenate(
        [v.truth()[: n // 16 * 16] for v, n in zip(load_labels("avenue", REAL).videos, AVENUE, strict=True)]
    )
    assert np.array_equal(avenue, np.load(REAL / "MSAD/gt-cuhk.npy", allow_pickle=False) > 0)
    shanghai = np.concatenate([video.truth() for video in load_labels("shanghaitech", REAL).videos])
    assert np.array_equal(shanghai, np.load(REAL / "MNAD/data/frame_labels_shanghai.npy", allow_pickle=False) > 0)


def test_names_spans_and_classes(folder):
    abuse, fire, normal = load_labels("ucf-crime@official", folder).videos
    assert (abuse.name, abuse.n_frames, abuse.spans, abuse.label) == (
        "Abuse001_x264",
        100,
        ((10, 30), (50, 100)),
        "Abuse",
    )
    assert fire.name == "Fire.One_x264" and fire.spans == ((0, 16),) and fire.abnormal
    assert (normal.spans, normal.label, normal.abnormal) == ((), "normal", False)
    first, second, third = load_labels("xd-violence", folder).videos
    assert first.classes == ("shooting", "explosion") and first.raw_frames == 50 and first.n_frames == 48
    assert [tuple(one) for one in first.events] == [(0, 10, "shooting"), (30, 48, "explosion")]
    assert second.name == "v=x__#1_label_B4-0-0" and second.spans == ((5, 20),)  # its key ends in .mp4
    assert third.n_frames == 16 and not third.abnormal
    assert load_labels("ucsd-ped2", folder).videos[1].also == ("002", "02")
    assert [v.label for v in load_labels("msad", folder).videos] == ["Assault", "Object_falling", "normal"]
    tracks = load_labels("ubnormal", folder).videos
    assert tracks[0].spans == ((10, 30),) and tracks[0].n_frames is None and tracks[2].spans == ()
    weak = load_labels("shanghaitech@weak", folder)
    assert [(v.name, v.n_frames, v.spans) for v in weak.videos] == [
        ("02_0128", 32, ((15, 32),)), ("01_001", None, ()), ("03_005", None, ())]  # fmt: skip


def test_rules_of_the_field(folder, tmp_path):
    wrong = load_labels("tad", folder, ["start-gt-0"])
    assert counts(wrong) == (3, 1, 120, 10) and any("which is wrong" in note for note in wrong.notes)
    assert load_labels("ucf-crime", folder, ["cut16"]).frames == 96 + 64 + 48
    with pytest.raises(UsageError, match="start-gt-0 is a rule of tad"):
        load_labels("ucf-crime", folder, ["start-gt-0"])
    label_folders.ucf_records(tmp_path)
    assert counts(load_labels("ucf-crime@revised", tmp_path)) == (3, 2, 214, 76)
    with pytest.raises(
        DatasetError, match=r"no VadCLIP/list/Temporal_Anomaly_Annotation.txt in it, which ucf-crime@off"
    ):
        load_labels("ucf-crime", tmp_path)


def test_ubnormals_labels_per_frame(tmp_path):
    label_folders.ubnormal(tmp_path)
    for name in ("abnormal_scene_1_scenario_2", "abnormal_scene_3_scenario_1_fog", "normal_scene_1_scenario_1"):
        write(
            tmp_path / "UBnormal" / name / "ground_truth_frame_level.txt", "0.0\n1.0\n" if name[0] == "a" else "0\n0\n0"
        )
    assert counts(load_labels("ubnormal", tmp_path)) == (3, 2, 7, 2)
    write(tmp_path / "UBnormal/normal_scene_1_scenario_1/ground_truth_frame_level.txt", "0 2")
    with pytest.raises(DatasetError, match="must be one 0 or 1 per frame"):
        load_labels("ubnormal", tmp_path)


def test_masks_of_pixels(tmp_path):
    from PIL import Image

    place = tmp_path / "UCSDped2" / "Test" / "Test002_gt"
    place.mkdir(parents=True)
    for i in range(3):
        mask = np.zeros((4, 6), np.uint8)
        mask[1, i] = 255
        Image.fromarray(mask).save(place / f"{i + 1:03d}.bmp")
    assert (
        mask_folder(tmp_path, "UCSDped2", "Test002") == place and mask_folder(tmp_path, "UCSDped2", "Test001") is None
    )
    masks = read_masks(place, 3)
    assert masks.shape == (3, 4, 6) and masks.sum() == 3 and masks[2, 1, 2]
    with pytest.raises(DatasetError, match="3 masks for 4 frames"):
        read_masks(place, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ucf", "did you mean ucf-crime?"), ("avenues", "did you mean avenue?"), ("nothing", "known: ucf-crime, xd-"),
        ("ucf-crime@2019", "has no version '2019'; known: official, revised"),
        ("ucf-crime@revise", r"did you mean revised\?"), ("tad@official", "it has one only"), ("tad@", "no version ''"),
    ],
)  # fmt: skip
def test_unknown_names_and_versions(text, says):
    with pytest.raises(UsageError, match=says):
        parse_dataset(text)


def test_names_are_read_as_people_write_them():
    assert parse_dataset("UCF-Crime@Revised") == ("ucf-crime", "revised")
    assert parse_dataset("shanghaitech@ws") == ("shanghaitech", "weak")


def spoilt(root, name, old, new):
    path = root / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


UCF_FILE, UMIL = "VadCLIP/list/Temporal_Anomaly_Annotation.txt", "UMIL/UCF_test.txt"


@pytest.mark.parametrize(
    ("dataset", "file", "old", "new", "says"),
    [
        ("ucf-crime", UCF_FILE, "50  101", "50  103", "span 50 to 103 lies past the video's 100 frames"),
        ("ucf-crime", UCF_FILE, "10  30", "100  101", "lies past the video's 100 frames"),
        ("ucf-crime", UCF_FILE, "10  30", "30  30", "30 to 30 is no span"),
        ("ucf-crime", UCF_FILE, "10  30", "ten  30", "txt:1: 'ten' is no whole number"),
        ("ucf-crime", UCF_FILE, "-1  -1  \nNormal", "-1  \nNormal", "3 numbers; spans are pairs"),
        ("ucf-crime", UCF_FILE, "Abuse001", "Abuse009", "annotates Abuse009_x264, a video whose length is not known"),
        ("ucf-crime", UMIL, "Normal_Videos_003", "Normal_Videos_004", "annotates Normal_Videos_003_x264"),
        ("ucf-crime", UMIL, "Normal_Videos_003_x264.mp4 50", "Normal_Videos_003_x264.mp4 0", "a video of 0 frames"),
        ("ucf-crime", UMIL, "Fire.One", "Abuse001", "the video Abuse001_x264 is listed twice"),
        ("ucf-crime", UCF_FILE, "Normal  -1  -1", "Normal  0  9", "the normal video .* has anomalous spans"),
        ("xd-violence", "VadCLIP/list/annotations.txt", "v=x__#1", "v=y__#1", "annotates v=y__#1_label_B4-0-0, a v"),
        ("xd-violence", "VadCLIP/list/annotations.txt", "5 20", "5 36", "lies past the video's 33 frames"),
        ("xd-violence", "VadCLIP/list/annotations_multiclasses.txt", "B4 5", "B9 5", "'B9' is no class"),
        ("xd-violence", "VERA/xd_test_800.json", '"length": 33', '"length": "x"', "'x' is no whole number"),
        ("tad", "UMIL/TAD_test.txt", "50 1 10 20", "50 1", "must be path, frames, class, start, end"),
        ("ucsd-ped1", "UCSDped1/Test/UCSDped1.m", "[36:45, 150:200]", "[36:45, 150:201]", "span 150 to 201 lies past"),
        ("ucsd-ped1", "UCSDped1/Test/UCSDped1.m", ".gt_frame = [36", ".x = [36", "labels 35 videos"),
        ("ubnormal", "UBnormal/Scene1/abnormal_scene_1_scenario_2_annotations/abnormal_scene_1_scenario_2_tracks.txt",
         "2,10,19", "2,10", "must be 3 finite numbers"),
        ("msad", "MSAD/msad-i3d-test.list", "Object_falling_7", "Assault_2", "Assault_2 is listed twice"),
        ("shanghaitech@weak", "RTFM/list/SH_Test.txt", "02_0128", "01_0014", "does not begin with the labels"),
    ],
)  # fmt: skip
def test_labels_that_contradict_themselves(tmp_path, dataset, file, old, new, says):
    root = label_folders.everything(tmp_path)
    spoilt(root, file, old, new)
    with pytest.raises(DatasetError, match=says) as raised:
        load_labels(dataset, root)
    assert "\n" not in str(raised.value)


def test_arrays_that_are_none_of_these_labels(tmp_path):
    root = label_folders.everything(tmp_path)
    save(root / "MNAD/data/frame_labels_avenue.npy", np.zeros(100))
    with pytest.raises(DatasetError, match="holds 100 values; it must be 15,324 labels"):
        load_labels("avenue", root)
    save(root / "MNAD/data/frame_labels_ped2.npy", np.full(2010, 2))
    with pytest.raises(DatasetError, match="only 0"):
        load_labels("ucsd-ped2", root)
    np.save(root / "MSAD/gt-MSAD-WS-new.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"can't be read as a .npy file of numbers"):
        load_labels("msad", root)
    (root / "RTFM/list/gt-sh.npy").write_bytes(b"no array")
    with pytest.raises(DatasetError, match=r"gt-sh.npy: can't be read"):
        load_labels("shanghaitech@weak", root)


def test_a_wrong_folder_is_named(tmp_path, folder):
    with pytest.raises(DatasetError, match="no such folder of labels"):
        load_labels("tad", tmp_path / "none")
    with pytest.raises(DatasetError, match=r"no UMIL/TAD_test.txt in it .*which tad needs; is it the folder"):
        load_labels("tad", folder / "MNAD")
    with pytest.raises(DatasetError, match=r"no RTFM/list/test_frame_mask/01_0014.npy"):
        load_labels("shanghaitech", tmp_path)
    with pytest.raises(UsageError, match="tad needs the folder of its labels"):
        load_labels("tad", None)


def test_an_own_table_in_frames(tmp_path):
    write(
        tmp_path / "mine.csv", "Name; Start; End; Label; frames\na.b.mp4;3;5;fire;10\na.b;4;8;smoke;10\nc;;;normal;\n"
    )
    first, second = load_labels(f"csv:{tmp_path / 'mine.csv'}", None).videos
    assert (first.name, first.spans, first.classes, first.n_frames) == ("a.b", ((3, 8),), ("fire", "smoke"), 10)
    assert [tuple(one) for one in first.events] == [(3, 5, "fire"), (4, 8, "smoke")]
    assert (second.name, second.abnormal, second.n_frames) == ("c", False, None)


def test_an_own_table_in_seconds(tmp_path):
    write(tmp_path / "mine.csv", "name,start,end,label\na,1,2.5,1\nb,-1,-1,0\n")
    labels = load_labels(f"csv:{tmp_path / 'mine.csv'}", None)
    assert labels.videos[0].timed[0].end == 2.5 and labels.videos[0].classes == ("anomaly",)
    assert labels.positives is None and "spans are in seconds, since line 2 has a decimal point" in labels.notes
    write(tmp_path / "mine.csv", "name,start,end,label,unit,fps\na,1,2,1,seconds,25\nb,1,2,1,frames,\n")
    labels = load_labels(f"csv:{tmp_path / 'mine.csv'}", None)
    assert labels.videos[0].timed and labels.videos[0].fps == 25 and labels.videos[1].spans == ((1, 2),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,start,end\na,1,2", "no column 'label'"),
        ("name,start,end,label,colour\na,1,2,x,red", "unknown column 'colour'"),
        ("name,start,end,label", "no row"),
        ("name,start,end,label\na,5,5,x", "csv:2: 5 to 5 is no span"),
        ("name,start,end,label\na,x,5,x", "start is 'x', it must be a number of frames"),
        ("name,start,end,label,unit\na,1.5,5,x,frames", "frames are whole numbers"),
        ("name,start,end,label,unit\na,1,5,x,hours", "unit 'hours'"),
        ("name,start,end,label\na,inf,5.5,x", "finite|number of seconds"),
        ("name,start,end,label\na,,,fire", "'fire' without start and end"),
        ("name,start,end,label\na,1,4,normal", "a span with the label normal"),
        ("name,start,end,label,frames\na,1,14,x,10", "a span ends at 14, past the video's 10 frames"),
        ("name,start,end,label,frames\na,1,4,x,10\na,5,7,x,11", "frames is '10'; it must be one whole number"),
        ("name,start,end,label,unit\na,1,4,x,frames\na,5,7,x,seconds", "spans in frames and in seconds"),
        ("name,start,end,label\n..,1,4,x", "'..' is no name of a video"),
    ],
)
def test_own_tables_that_make_no_sense(tmp_path, text, says):
    write(tmp_path / "mine.csv", text)
    with pytest.raises(DatasetError, match=says):
        load_labels(f"csv:{tmp_path / 'mine.csv'}", None)


def test_facts_where_lengths_are_unknown(folder):
    found = facts(load_labels("shanghaitech@weak", folder))
    assert found["baselines"]["video_oracle"]["auc"] == pytest.approx((64 + 15 / 2) / 79)
    assert found["baselines"]["product"]["auc"] is None and found["undefined"] == [
        "the lengths of single videos come with the scores"
    ]
    assert set(facts(load_labels("msad", folder))["baselines"]["video_oracle"].values()) == {None}
