"""The laws of drawn videos: how much of them is anomalous, how alike everything is, and what can't find it."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from zsad.errors import UsageError
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.video.extraction import read_card
from zsad.video.labels import load_labels
from zsad.video.learned.drawn import Drawing, draw, world_of
from zsad.video.learned.drawn_set import draw_set, write_set
from zsad.video.learned.lists import read_list

WIDTH = 64
SMALL = Drawing(rows=(40, 60))


def texts(seed=0, names=("normal", "crack", "rust", "burn")):
    rng = np.random.default_rng([77, seed])
    return {name: rng.normal(size=WIDTH) for name in names}


def snippets(video):
    x = video.features.astype(np.float64)
    return x if x.ndim == 2 else x.mean(axis=1)


def auc(videos, score):
    scored = [VideoFrames.of(video.truth()[:: video.every], score(snippets(video))) for video in videos]
    return frame_metrics(scored)["auc"].value


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tokens", [0, 4])
def test_what_is_promised_of_every_set(seed, tokens):
    drawing = Drawing(seed=seed, tokens=tokens)
    drawn = draw_set(texts(seed), drawing, (30, 21), (15, 15))
    normal = np.concatenate([snippets(video)[~video.truth()[:: video.every]] for video in drawn.train]).mean(axis=0)
    for video in (*drawn.train, *drawn.test):
        truth = video.truth()
        assert len(truth) == video.frames and bool(video.spans) == (video.label != "normal")
        assert truth.mean() <= 0.2 and (not video.spans or truth.mean() >= 0.05)
        assert all(before[1] < after[0] for before, after in zip(video.spans, video.spans[1:], strict=False))
        x = snippets(video)
        cosine = x @ normal / np.linalg.norm(x, axis=1) / np.linalg.norm(normal)
        assert cosine.min() > 0.75
    assert auc(drawn.test, lambda x: np.linalg.norm(x - x.mean(axis=0), axis=1)) < 0.75
    assert auc(drawn.test, lambda x: np.linalg.norm(x - normal, axis=1)) < 0.8


def test_the_same_seed_gives_the_same_videos_and_another_others():
    first, again, other = (draw_set(texts(), replace(SMALL, seed=seed), (1, 1), (1, 1)) for seed in (1, 1, 2))
    for one, two, three in zip(*((*drawn.train, *drawn.test) for drawn in (first, again, other)), strict=True):
        assert np.array_equal(one.features, two.features) and one.spans == two.spans
        assert one.features.shape != three.features.shape or not np.allclose(one.features, three.features)
    part, whole = (list(draw(world_of(texts(), SMALL), SMALL, 0, 2, count)) for count in (1, 3))
    assert all(np.array_equal(a.features, b.features) for a, b in zip(part, whole, strict=False))
    assert not np.array_equal(first.train[0].features[:30], first.test[0].features[:30])


def test_classes_are_tied_to_their_texts():
    named = texts()
    world = world_of(named, SMALL)
    unit = {name: text / np.linalg.norm(text) for name, text in named.items()}
    for name, direction in world.classes.items():
        apart = unit[name] - unit["normal"]
        apart -= apart @ world.mean * world.mean
        assert abs(np.linalg.norm(direction) - 1) < 1e-9 and abs(direction @ world.mean) < 1e-9
        assert abs(direction @ apart / np.linalg.norm(apart) - SMALL.tie) < 1e-9
    (video,) = (one for one in draw(world, replace(SMALL, noise=0.0, motion=0.0, bursts=0.0), 0, 0, 1, ["rust"]))
    inside = video.truth()[:: video.every]
    moved = video.features[inside].mean(axis=0) - video.features[~inside].mean(axis=0)
    near = {name: moved @ direction / np.linalg.norm(moved) for name, direction in world.classes.items()}
    assert max(near, key=near.get) == "rust" and near["rust"] > 0.9


def test_tokens_have_the_feature_as_their_mean_and_half_of_them_the_event():
    drawing = replace(SMALL, tokens=4, noise=0.0, motion=0.0, bursts=0.0, scene=0.0, drift=0.0)
    (video,) = draw(world_of(texts(), drawing), drawing, 0, 0, 1)
    start = video.spans[0][0]
    away = np.linalg.norm(video.features[start] - video.features[~video.truth()[:: video.every]][0], axis=-1)
    assert video.features.shape[1:] == (4, WIDTH) and sorted(away > 1e-3) == [False, False, True, True]


def test_a_written_set_is_read_by_what_reads_extractions_lists_and_labels(tmp_path):
    drawn = draw_set(texts(), SMALL, (2, 3), (2, 3), known=("crack", "rust"))
    write_set(tmp_path / "set", drawn, SMALL, "tiny")
    listed = read_list(f"csv:{tmp_path / 'set' / 'train.csv'}")
    assert [one.labels for one in listed] == [(), (), ("crack",), ("rust",), ("crack",)]
    labels = {video.name: video for video in load_labels(f"csv:{tmp_path / 'set' / 'labels.csv'}", None).videos}
    assert [video.label for video in drawn.test[2:]] == ["crack", "rust", "burn"]
    for video in drawn.test:
        assert np.array_equal(labels[video.name].truth(), video.truth())
        card = read_card(tmp_path / "set" / f"{video.name}.json")
        saved = np.load(tmp_path / "set" / card["files"][0])
        assert np.array_equal(saved, video.features) and (card["rows"], card["width"]) == saved.shape
        assert card["backbone"] == "tiny" and len(card["timestamps"]) == len(saved)
    with (tmp_path / "set" / "clicks.csv").open(newline="") as file:
        clicks = [(row["video"], int(row["frame"])) for row in csv.DictReader(file)]
    truths = {video.name: video for video in drawn.train}
    assert all(truths[name].truth()[frame] for name, frame in clicks)
    assert len(clicks) == sum(len(video.spans) for video in drawn.train)


def test_texts_that_tell_no_class_apart():
    with pytest.raises(UsageError, match="give those of normal"):
        world_of({"crack": np.ones(WIDTH)}, SMALL)
    same = np.random.default_rng(77).normal(size=WIDTH)
    with pytest.raises(UsageError, match="crack has the text of normal"):
        world_of({"normal": same, "crack": 2 * same}, SMALL)
