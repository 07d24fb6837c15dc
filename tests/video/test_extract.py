"""Features of videos, as a person extracts them, read back by a reader written from the formats alone."""

from __future__ import annotations

import ast
import json
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

pytest.importorskip("av")

import zsad
from tests.cli.test_commands import invoke
from tests.fakes import CellDetector
from tests.video.clips import cut, write_clip, write_folder
from zsad.errors import UsageError
from zsad.video import towers
from zsad.video.crops import views
from zsad.video.extraction import read_card
from zsad.video.features import Choice, cells, pooled, read_features
from zsad.video.source import open_video


@pytest.fixture
def cells_detector(monkeypatch):
    """Stands for a network, which would take most of the time."""
    detector = CellDetector()
    monkeypatch.setattr(towers, "feature_detector", lambda name, **options: detector)
    return detector


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "Test.v1.mp4", 20, draw=moving)


def moving(index, frame):
    frame[-20:-4, 2 * index : 2 * index + 14] = (200, 40, 40)


def read_npy(path):
    """Read an array by the description of the format alone: magic, version, length, a literal, then the values."""
    data = path.read_bytes()
    assert data[:6] == b"\x93NUMPY" and data[6] == 1
    (length,) = struct.unpack("<H", data[8:10])
    head = ast.literal_eval(data[10 : 10 + length].decode("latin1"))
    assert head["descr"] == "<f4" and head["fortran_order"] is False
    values = struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length :])
    return np.array(values).reshape(head["shape"])


def extract(*arguments):
    return invoke("video", "extract", *map(str, arguments))


def test_rows_are_the_model_s_own_features_of_every_nth_frame(clip, tmp_path):
    done = extract(clip, "--every", 8, "--out", tmp_path)
    assert (done.exit_code, done.stdout) == (0, "Test.v1: an array of 3 x 128\n")
    tiny = zsad.load("tiny")
    rows = read_npy(tmp_path / "Test.v1__0.npy")
    images = [frame.image for frame in open_video(clip).frames(8)]
    np.testing.assert_allclose(rows, tiny.features(images).cls, atol=1e-5)
    assert not np.allclose(np.linalg.norm(rows, axis=1), 1), "not normalised"
    card = json.loads((tmp_path / "Test.v1.json").read_text())
    assert card["backbone"] == "tiny"
    assert card["weights_hash"] == tiny.fingerprint
    assert card["preprocess"]["image_size"] == 288
    assert (card["stride"], card["fps"], card["frames"], card["rows"]) == (8, 25.0, 20, 3)
    assert card["timestamps"] == [0.0, 0.32, 0.64]
    assert read_card(tmp_path / "Test.v1.json") == card


def test_ten_crops_are_centre_and_corners_then_the_same_mirrored(clip, cells_detector, tmp_path):
    assert extract(clip, "--every", 16, "--crops", 10, "--out", tmp_path).exit_code == 0
    frame = next(open_video(clip).frames()).image
    resized = frame.resize((49, 37), Image.Resampling.BICUBIC)  # 340 x 256, times 32 / 224
    for number, (x, y) in enumerate([(8, 2), (0, 0), (17, 0), (0, 5), (17, 5)]):
        crop = resized.crop((x, y, x + 32, y + 32))
        expected = cells_detector.features([crop, ImageOps.mirror(crop)]).cls
        np.testing.assert_allclose(read_npy(tmp_path / f"Test.v1__{number}.npy")[0], expected[0], atol=1e-5)
        np.testing.assert_allclose(read_npy(tmp_path / f"Test.v1__{number + 5}.npy")[0], expected[1], atol=1e-5)
    assert not (tmp_path / "Test.v1__10.npy").exists()


def test_tokens_are_averages_of_patches_row_by_row(clip, cells_detector, tmp_path):
    assert extract(clip, "--every", 16, "--tokens", 8, "--out", tmp_path).exit_code == 0
    rows = read_npy(tmp_path / "Test.v1__0.npy")
    assert rows.shape == (2, 8, 3)
    patches = cells_detector.features([next(open_video(clip).frames()).image]).patches[0, -1].reshape(4, 4, 3)
    np.testing.assert_allclose(rows[0, 0], patches[:2, :1].mean(axis=(0, 1)), atol=1e-5)
    np.testing.assert_allclose(rows[0, 7], patches[2:, 3:].mean(axis=(0, 1)), atol=1e-5)


def test_motion_has_a_row_for_each_too_and_a_still_video_is_black(clip, cells_detector, tmp_path):
    pytest.importorskip("cv2")
    still = write_clip(tmp_path / "still.mkv", 1)
    found = read_features(open_video(clip), cells_detector, Choice(every=8, motion=True))
    assert list(found.arrays) == ["0", "motion"]
    assert found.arrays["motion"].shape == found.arrays["0"].shape == (3, 3)
    assert found.positions.tolist() == [0, 8, 16]
    without = read_features(open_video(clip), cells_detector, Choice(every=8))
    np.testing.assert_allclose(found.arrays["0"], without.arrays["0"], atol=1e-5)
    black = cells_detector.features([Image.new("RGB", (224, 224))]).cls
    still_found = read_features(open_video(still), cells_detector, Choice(motion=True))
    np.testing.assert_allclose(still_found.arrays["motion"], black, atol=1e-5)
    assert np.abs(found.arrays["motion"] - black).max() > 0.01


def test_what_is_done_is_not_done_again_and_other_settings_are_refused(clip, cells_detector, tmp_path):
    out = tmp_path / "f"
    assert extract(clip, "--every", 16, "--out", out).exit_code == 0
    stamp = (out / "Test.v1__0.npy").stat().st_mtime_ns
    again = extract(clip, "--every", 16, "--out", out)
    assert (again.exit_code, again.stdout) == (0, "Test.v1: done before, an array of 2 x 3\n")
    assert (out / "Test.v1__0.npy").stat().st_mtime_ns == stamp
    for options, what in ((["--every", 8], "another stride, 16 where this run has 8"),
                          (["--crops", 10], "another crops, 1 where this run has 10"),
                          (["--tokens", 4], "another tokens, None where this run has 4")):  # fmt: skip
        refused = extract(clip, *options, "--out", out)
        assert refused.exit_code == 2
        assert what in refused.stderr
    (out / "Test.v1__0.npy").unlink()  # as a kill leaves it
    assert extract(clip, "--out", out).stdout == "Test.v1: an array of 2 x 3\n"


def test_one_bad_video_leaves_the_others(clip, cells_detector, tmp_path):
    (tmp_path / "zero.mp4").touch()
    broken = cut(write_clip(tmp_path / "whole.mkv", 40, gop=4), 0.7, tmp_path / "broken.mkv")
    folder = write_folder(tmp_path / "frames", 3)
    done = extract(tmp_path / "zero.mp4", broken, folder, clip, "--out", tmp_path / "f")
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["broken", "frames", "Test.v1"]
    assert f"{tmp_path}/zero.mp4: empty file" in done.stderr
    assert f"partial: {broken}: cut off" in done.stderr
    card = read_card(tmp_path / "f" / "broken.json")
    assert card["partial"] is True and "cut off" in card["fault"]
    again = extract(broken, "--out", tmp_path / "f")
    assert again.exit_code == 1, "it is still partial"


def test_what_zsad_did_not_write_stays(clip, cells_detector, tmp_path):
    np.save(tmp_path / "Test.v1__0.npy", np.zeros(3))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Test.v1.json").write_text('{"mine": 1}')
    for out in (tmp_path, tmp_path / "other"):
        refused = extract(clip, "--out", out)
        assert refused.exit_code == 2
        assert "was not written by zsad" in refused.stderr


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--crops", "3"], "3 crops: give 1 or 10"),
        (
            ["--tokens", "400"],
            "400 tokens are 20 x 20 cells, and the model has 18 x 18 patches; give fewer, such as 16",
        ),
        (["--backbone", "nope"], "backbone nope: is not known"),
        (["--backbone", "absent.onnx"], "absent.onnx"),
    ],
)
def test_wrong_options_are_one_line(clip, tmp_path, options, line):
    refused = extract(clip, *options, "--out", tmp_path / "f")
    assert refused.exit_code in (1, 2)
    assert line in refused.stderr
    assert "Traceback" not in refused.stderr


def test_cells_and_their_averages():
    assert cells(16, 14) == (4, 4) and cells(32, 14) == (4, 8) and cells(13, 14) == (1, 13)
    with pytest.raises(UsageError, match="17 tokens are 1 x 17 cells"):
        cells(17, 14)
    patches = np.arange(49, dtype=np.float32).reshape(1, 49, 1)
    expected = [[i * 7 + j for i in rows for j in columns] for rows in ((0, 1, 2, 3), (3, 4, 5, 6))
                for columns in ((0, 1, 2, 3), (3, 4, 5, 6))]  # fmt: skip
    np.testing.assert_allclose(pooled(patches, (2, 2))[0, :, 0], [np.mean(cell) for cell in expected])


def test_ten_views_have_the_side_of_the_network():
    frame = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    ten = views(frame, 10, 224)
    assert len(ten) == 10 and {view.size for view in ten} == {(224, 224)}
    assert views(frame, 1, 224) == [frame]
