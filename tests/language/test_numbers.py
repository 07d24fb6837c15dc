"""The systems' numbers: every quantity of the fixtures, and laws that no fixture shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import parity_language
from zsad.language import learning, retrieval, segments, sound, windows

GOLDEN = Path(__file__).parents[1] / "golden" / "language"


def test_every_quantity_of_the_fixtures(capsys):
    pytest.importorskip("sacrebleu")
    assert parity_language.main([str(GOLDEN), "--quiet"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("parity PASS: ") and int(line.split()[2]) >= 230


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.floats(0.5, 60))
def test_windows_lie_in_the_video_and_hold_their_centre(n_frames, fps):
    for centre in windows.centres(n_frames):
        start, end = windows.window(int(centre), n_frames, max(windows.lavad_half(fps), 1))
        frames = windows.spread(start, end, 10)
        assert 0 <= start <= centre < end <= n_frames
        assert frames[0] == start and frames[-1] == end - 1 and frames == sorted(set(frames))
        assert all(start <= frame < end for frame in windows.even(start, end))


def test_refinement_of_one_summary_is_its_score_and_stays_in_range():
    rng = np.random.default_rng(0)
    clips, summaries = rng.normal(size=(5, 8)), rng.normal(size=(3, 8))
    scores = rng.uniform(size=5)
    assert np.allclose(retrieval.refined_scores(clips, summaries[:1], [2], scores), scores[2])
    found = retrieval.refined_scores(clips, summaries, [0, 1, 3], scores, 2)
    assert (found >= scores.min()).all() and (found <= scores.max()).all()
    # scaling an embedding changes nothing
    assert np.allclose(found, retrieval.refined_scores(clips * 7, summaries * 0.1, [0, 1, 3], scores, 2))


def test_without_sound_the_mixture_is_the_video():
    rng = np.random.default_rng(1)
    video, spoken = rng.uniform(size=(4, 3)), rng.uniform(size=(4, 3))
    assert (retrieval.with_sound(video, spoken, [False] * 4, 0.7) == video).all()
    assert np.allclose(retrieval.with_sound(video, spoken, [True, False] * 2, 1.0)[::2], spoken[::2])


def test_smoothing_keeps_a_constant_where_edges_are_made_good():
    line = np.full(20, 0.4)
    assert np.allclose(segments.smoothed(line, centred=True, renormalise_edges=True), line)
    assert (segments.smoothed(line)[[0, -1]] < 0.4).all()
    slow = [sum(line[i - k + 7] * w for k, w in enumerate(segments.kernel()) if 0 <= i - k + 7 < 20) for i in range(20)]
    assert np.allclose(segments.smoothed(line), slow)


def test_missing_scores():
    with pytest.raises(ValueError, match="no value"):
        windows.filled([0, 16], [np.nan, np.nan])
    assert windows.filled([0, 10, 30], [np.nan, 0.2, np.nan]).tolist() == [0.2] * 3


def test_sound_of_nothing_is_silent():
    assert sound.is_silent([]) and sound.is_silent(np.zeros(100)) and not sound.is_silent([0.5, -0.5])
    wav = sound.to_wav([0.0, 1.0, -1.0, 2.0], 8000)
    assert wav[:4] == b"RIFF" and np.frombuffer(wav[44:], "<i2").tolist() == [0, 32767, -32767, 32767]
    track = sound.Track(np.arange(100, dtype=np.float32), 10)
    assert track.clip(0, 5.0).tolist() == list(range(10)) and len(track.clip(25, 5.0)) == 20


def test_batches_hold_every_video_once_an_epoch():
    rows = [learning.Labelled(str(i), 0) for i in range(5)]
    plan = learning.batches(rows, learning.Settings(epochs=3, batch_size=2))
    assert [[len(batch) for batch in epoch] for epoch in plan] == [[2, 2, 1]] * 3
    assert all(sorted(row.video for batch in epoch for row in batch) == list("01234") for epoch in plan)
    assert plan == learning.batches(rows, learning.Settings(epochs=3, batch_size=2)) and plan[0] != plan[1]
