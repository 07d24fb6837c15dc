"""``zsad video score --maps`` for the pixel level, and ``--features`` for the refiner that compares frames."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from tests.cli.test_video_score import run, told
from tests.video import label_folders
from tests.video.moving_clips import FRAMES, SIZE, fast_clip
from zsad.errors import InputError
from zsad.video import ScoreSeries, read_series
from zsad.video.evaluation import pixel_level
from zsad.video.feature_rows import stored_rows
from zsad.video.labels import load_labels
from zsad.video.maps_file import MapsFile


def test_maps_of_every_frame_have_the_frame_s_size_and_its_motion(tmp_path):
    clip = fast_clip(tmp_path / "clip.mp4")
    run("score", clip, "--out", tmp_path / "out", "--no-video", "--stride", 2, "--maps")
    maps = np.load(tmp_path / "out" / "clip" / "maps.npy", allow_pickle=False)
    assert maps.shape == (FRAMES, SIZE[1], SIZE[0]) and maps.dtype == np.float32 and np.isfinite(maps).all()
    np.testing.assert_array_equal(maps[0::2], maps[1::2])  # a frame that is not looked at has the map before
    row, column = np.unravel_index(maps[27].argmax(), maps[27].shape)
    assert 40 <= row < 66 and column >= 20, "the square crosses rows 46 to 60"
    series = read_series(tmp_path / "out" / "clip" / "scores.json")
    assert len(series) == FRAMES // 2 and not list((tmp_path / "out" / "clip").glob(".*"))


def test_the_pixel_level_from_raw_frames_to_figures(tmp_path):
    """Ped2's first video as drawn frames: a square that moves, which is the mask."""
    labels, clip, size = tmp_path / "labels", tmp_path / "Test001", (40, 60)
    label_folders.frames(labels)
    for place in (clip, labels / "UCSDped2/Test/Test001_gt"):
        place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(180):
        mask, at = np.zeros(size, np.uint8), 2 * (i % 20)
        mask[12:24, at : at + 12] = 255
        texture = np.where(mask, rng.integers(0, 256, size), 90).astype(np.uint8)
        Image.fromarray(texture).save(clip / f"{i + 1:03d}.png")
        Image.fromarray(mask).save(labels / f"UCSDped2/Test/Test001_gt/{i + 1:03d}.bmp")
    motion = ("score", clip, "--out", tmp_path / "s", "--no-video", "--motion-kind", "difference")
    wanted = ("eval", "ucsd-ped2", "--labels", labels, "--scores", tmp_path / "s", "--pixel", "--partial")
    run(*motion)
    assert "no video has both masks" in told(run(*wanted, code=1))
    run(*motion, "--maps")
    assert "pixel level: P-AUC" in run(*wanted, code=1).stdout
    found, left = pixel_level(load_labels("ucsd-ped2", labels), labels, tmp_path / "s", partial=True)
    assert len(left) == 11 and found["pixel_auroc"].value > 0.9


def test_what_is_not_finished_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), MapsFile(tmp_path) as maps:
        maps.add(0, np.zeros((2, 2), np.float32), (4, 6))
        raise KeyError
    assert not list(tmp_path.iterdir())
    with MapsFile(tmp_path) as maps:
        maps.close(0)
    assert not list(tmp_path.iterdir())
    with MapsFile(tmp_path) as maps:
        maps.add(3, np.ones((2, 2), np.float32), (4, 6))
        maps.add(5, np.full((2, 3), 2, np.float32), (2, 3))
        maps.close(9)
    found = np.load(tmp_path / "maps.npy", allow_pickle=False)
    assert found.shape == (9, 4, 6) and [float(one.max()) for one in found] == [1.0] * 5 + [2.0] * 4


def retrieved(values, rows, share, temperature):
    """The refiner, one position at a time."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    out = []
    for row in rows:
        cosine = rows @ row
        best = np.argsort(-cosine, kind="stable")[: int(share * len(values))]
        weight = np.exp(cosine[best] / temperature)
        out.append((weight * values[best]).sum() / weight.sum())
    return np.array(out)


def test_retrieval_compares_the_features_on_disk(tmp_path):
    clip, f, listed = fast_clip(tmp_path / "clip.mp4"), tmp_path / "f", tmp_path / "refine.yaml"
    run("extract", clip, "--every", 8, "--out", f)
    score = ("score", clip, "--no-video", "--motion-kind", "difference", "--refine", listed, "--out")
    listed.write_text("[]")
    run(*score, tmp_path / "raw")
    listed.write_text("- retrieval: {share: 1.0}")
    run(*score, tmp_path / "out", "--features", f)
    raw, refined = (read_series(tmp_path / name / "clip" / "scores.json") for name in ("raw", "out"))
    assert refined.refiners == ("retrieval share 1 temperature 0.1 (uses the future)",)
    rows = np.load(f / "clip__0.npy", allow_pickle=False).astype(np.float64)[np.arange(FRAMES) // 8]
    np.testing.assert_allclose(refined.values, retrieved(raw.values, rows, 1.0, 0.1), rtol=1e-6)

    assert "go together" in told(run(*score, tmp_path / "no", code=2))
    assert "clip.json" in run(*score, tmp_path / "no", "--features", tmp_path / "none", code=1).output
    with pytest.raises(InputError, match="features of 34 frames, but the video has 40; extract it again"):
        stored_rows(f, "clip")(ScoreSeries(np.zeros(40), np.arange(40), np.zeros(40), 40, 25.0, "motion"))
    np.save(f / "clip__0.npy", np.full((5, 8), np.nan))
    with pytest.raises(InputError, match="is no finite array of 5 rows"):
        stored_rows(f, "clip")
