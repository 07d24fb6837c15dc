"""``zsad video score`` and ``zsad video calibrate``: what is written, exit codes, what goes wrong in one line."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("av")
pytest.importorskip("cv2")

import zsad
from tests.contrast import Contrast
from tests.video.clips import cut, write_clip, write_folder
from tests.video.moving_clips import FRAMES, calm_clip, fast_clip
from zsad.cli import app
from zsad.video import ScoreSeries, read_series
from zsad.video.scorer import OnFrame

runner = CliRunner()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    fast_clip(root / "a.fast.mp4")
    calm_clip(root / "calm.mkv", 60)
    return root


def run(*arguments, code=0):
    done = runner.invoke(app, ["video", *map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    assert "Traceback" not in done.output
    return done


def told(done):
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    return line


@pytest.fixture(scope="module")
def scored(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("scored") / "out"
    done = run("score", clips, "--out", out, "--threshold", 60, "--gap", 2, "--fail-on", "anomalous", code=3)
    return out, done


def test_what_is_written(scored):
    out, done = scored
    assert "a.fast" in done.stdout and f"Wrote {out}" in done.stdout.replace("\n", "")
    folder = out / "a.fast"
    raw = json.loads((folder / "scores.json").read_text())
    assert set(raw) == {"format", "n_frames", "fps", "values", "positions", "timestamps", "method", "model",
                        "refiners", "partial"}  # fmt: skip
    series = read_series(folder / "scores.json")
    assert series.n_frames == len(series) == FRAMES and series.fps == 25 and not series.partial
    assert (series.method, series.refiners) == ("motion", ("causal_mean size 9",))
    rows = list(csv.DictReader((folder / "scores.csv").open()))
    assert [int(row["frame"]) for row in rows] == list(range(FRAMES))
    np.testing.assert_allclose([float(row["score"]) for row in rows], series.values)
    np.testing.assert_allclose([float(row["seconds"]) for row in rows], np.arange(FRAMES) / 25, atol=1e-6)
    events = json.loads((folder / "events.json").read_text())
    (event,) = events["events"]
    assert not events["hint"] and events["threshold"] == 60 and events["score"] == series.values.max()
    assert event["start_s"] == pytest.approx(event["start"] / 25, abs=1e-3) and event["picture"]
    assert (folder / "keyframes" / event["picture"]).is_file()
    assert json.loads((out / "calm" / "events.json").read_text())["events"] == []


def test_the_annotated_video_has_each_frame_at_its_time(scored):
    import av

    with av.open(str(scored[0] / "a.fast" / "annotated.webm")) as container:
        assert container.streams.video[0].codec_context.name in ("vp9", "libvpx-vp9")
        frames = list(container.decode(video=0))
    assert len(frames) == FRAMES
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(FRAMES) / 25, atol=2e-3)
    orange = [(frame.to_ndarray(format="rgb24")[1, 1] > [180, 0, 0]).all() for frame in frames]
    event = json.loads((scored[0] / "a.fast" / "events.json").read_text())["events"][0]
    assert np.flatnonzero(orange).tolist() == list(range(event["start"], event["end"]))


def test_a_second_run_replaces_and_resume_passes_over(scored, clips):
    out, _ = scored
    same = ("score", clips, "--out", out, "--threshold", 60, "--gap", 2)
    before = (out / "a.fast" / "events.json").stat().st_mtime_ns
    done = run(*same, "--resume")
    assert done.stdout.count("before") == 2 and (out / "a.fast" / "events.json").stat().st_mtime_ns == before
    done = run(*same, "--no-video", "--resume")
    assert "before" not in done.stdout
    assert not json.loads((out / "a.fast" / "events.json").read_text())["video"]


def test_foreign_files_stay(clips, tmp_path):
    (tmp_path / "a.fast").mkdir()
    (tmp_path / "a.fast" / "scores.json").write_text("mine")
    done = run("score", clips / "a.fast.mp4", "--out", tmp_path, code=2)
    assert "was not written by zsad" in told(done) and (tmp_path / "a.fast" / "scores.json").read_text() == "mine"


def test_a_cut_video_is_partial_and_a_bad_one_fails_alone(clips, tmp_path):
    whole = write_clip(tmp_path / "whole.mp4", 60, faststart=True)
    broken = cut(whole, 0.6, tmp_path / "broken.mp4")
    (tmp_path / "zero.mp4").write_bytes(b"")
    out = tmp_path / "out"
    done = run("score", broken, tmp_path / "zero.mp4", whole, "--out", out, "--no-video", code=1)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert any(line.startswith("partial") and "broken.mp4" in line for line in lines)
    assert any(line.startswith("failed") and "zero.mp4" in line for line in lines)
    series = read_series(out / "broken" / "scores.json")
    assert (
        series.partial and 5 < len(series) < 60 and json.loads((out / "broken" / "events.json").read_text())["partial"]
    )
    assert not read_series(out / "whole" / "scores.json").partial
    assert "1 of 3 videos failed" in done.stdout


@pytest.mark.parametrize("when", [5, 20])
def test_an_interruption_keeps_what_is_known(clips, tmp_path, monkeypatch, when):
    from zsad.video.methods import MotionMethod

    looks = MotionMethod.looks

    def stopped(self, video):
        for number, look in enumerate(looks(self, video)):
            if number == when:
                raise KeyboardInterrupt
            yield look

    monkeypatch.setattr(MotionMethod, "looks", stopped)
    done = run("score", clips / "a.fast.mp4", clips / "calm.mkv", "--out", tmp_path, code=130)
    series = read_series(tmp_path / "a.fast" / "scores.json")
    assert series.partial and len(series) == series.n_frames == when and "interrupted" in done.stderr
    assert not (tmp_path / "calm" / "scores.json").exists()
    monkeypatch.undo()
    run("score", clips / "a.fast.mp4", "--out", tmp_path, "--resume")
    assert len(read_series(tmp_path / "a.fast" / "scores.json")) == FRAMES


def test_maps_of_a_detector_and_folders_of_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(zsad, "load", lambda model=None, **options: Contrast())
    folder = write_folder(tmp_path / "frames" / "01", 6)
    for method in ("map", "fused"):
        out = tmp_path / method
        run("score", folder.parent, "--out", out, "--method", method, "--stride", 2, "--folder-fps", 10)
        series = read_series(out / "01" / "scores.json")
        assert series.positions.tolist() == [0, 2, 4] and series.timestamps.tolist() == [0, 0.2, 0.4]
        assert series.method == method and "contrast" in series.model


def test_refiners_of_a_file_are_stated(clips, tmp_path):
    (tmp_path / "r.yaml").write_text("- median: {size: 5}\n- minmax\n")
    run("score", clips / "a.fast.mp4", "--out", tmp_path / "o", "--refine", tmp_path / "r.yaml", "--no-video")
    series = read_series(tmp_path / "o" / "a.fast" / "scores.json")
    assert series.refiners == ("median size 5 (uses the future)", "minmax (uses the future)")
    assert (series.values.min(), series.values.max()) == (0, 1)


def test_a_method_of_another_kind_needs_no_maps(clips, tmp_path, monkeypatch):
    from zsad.cli.video import methods

    monkeypatch.setitem(methods.METHODS, "length", f"{__name__}:build_length")
    run("score", clips / "calm.mkv", "--out", tmp_path, "--method", "length", "--set", "scale=2")
    assert read_series(tmp_path / "calm" / "scores.json").values.tolist() == [0.0, 6.0]
    assert json.loads((tmp_path / "calm" / "events.json").read_text())["events"][0]["region"] is None


class Length:
    name = "length"

    def __init__(self, scale):
        self.scale = scale

    def score(self, source, on_frame: OnFrame = lambda done, total: None):
        return ScoreSeries([0, 3 * self.scale], [0, 30], [0, 1.2], 60, 25.0, "length")


def build_length(name, choices):
    return Length(float(choices.more["scale"]))


def test_thresholds_of_normal_footage(clips, tmp_path):
    limits = tmp_path / "t.json"
    done = run("calibrate", "--normals", clips / "calm.mkv", "--out", limits, "--alarms-per-hour", 1)
    assert "No alarm in" in done.stdout and "too short for a statement" in done.stderr
    calm = run("score", clips / "calm.mkv", "--thresholds", limits, "--out", tmp_path / "o", "--fail-on", "anomalous",
               "--no-video")  # fmt: skip
    assert "No threshold" not in calm.stdout
    run("score", clips / "a.fast.mp4", "--thresholds", limits, "--out", tmp_path / "o", "--fail-on", "anomalous",
        "--no-video", code=3)  # fmt: skip
    done = run("score", clips, "--thresholds", limits, "--motion-kind", "difference", "--out", tmp_path / "p", code=2)
    assert "were measured with model DIS flow, not frame difference" in told(done)


WRONG = [
    (("--method", "motions"), "there is none (did you mean motion?); known: motion, map, fused"),
    (("--model", "tiny"), "--method motion looks at no model"),
    (("--stride", 2, "--fps", 5), "give --stride or --fps, not both"),
    (("--fps", -1), "--fps must be above 0"),
    (("--low", 1), "--low needs --threshold"),
    (("--threshold", 1, "--low", 2), "must not be above the threshold"),
    (("--threshold", "nan"), "finite number"),
    (("--fail-on", "anomalous"), "needs --threshold"),
    (("--fail-on", "normal", "--threshold", 1), "--fail-on is anomalous"),
    (("--motion-kind", "speed"), "give flow or difference"),
    (("--set", "x"), "give NAME=VALUE"),
    (("--normal-seconds", 0), "must be above 0"),
    (("--refine", "absent.yaml"), "absent.yaml: no such file"),
    (("--thresholds", "absent.json"), "absent.json: no such file"),
]


@pytest.mark.parametrize(("options", "says"), WRONG, ids=lambda value: str(value)[:30])
def test_wrong_usage_is_one_line(clips, tmp_path, options, says):
    done = run("score", clips, "--out", tmp_path / "o", *options, code=2)
    assert says in told(done)
    assert not (tmp_path / "o").exists()


def test_wrong_footage_is_one_line(clips, tmp_path):
    done = run("calibrate", "--normals", clips / "calm.mkv", "--normal", clips / "calm.mkv", "--out", tmp_path / "t",
               code=2)  # fmt: skip
    assert "is learned from" in told(done)
    done = run("score", tmp_path / "absent.mp4", "--out", tmp_path / "o", code=1)
    assert "absent.mp4: no such file" in done.stderr
    (tmp_path / "t.json").write_text("{}")
    done = run("score", clips, "--thresholds", tmp_path / "t.json", "--out", tmp_path / "o", code=2)
    assert "not thresholds of videos" in told(done)
    one = write_clip(tmp_path / "same.mp4", 3)
    (tmp_path / "b").mkdir()
    done = run("score", one, write_clip(tmp_path / "b" / "same.mkv", 3), "--out", tmp_path / "o", code=2)
    assert "have the same name" in told(done)
