"""MCANet's numbers: clips of sound, what is heard, and refinement with sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.language_parity.fixtures import Checks, Fixtures, close, same
from zsad.language import parse, retrieval, sound, windows


def checks(files: Fixtures) -> Checks:
    told, arrays = files.json("mcanet"), files.npz("mcanet")
    video = files.json("lavad")["videos"][told["video_of_lavad_json"]]
    seen = files.part("lavad", told["video_of_lavad_json"])
    config, n = told["config"], len(told["silent"])
    levels = [-np.inf if level == "-inf" else float(level) for level in told["dbfs"]]
    quiet = [level < config["silence_dbfs"] for level in levels]
    yield same("mcanet", "silent clips", quiet, told["silent"])
    yield from _tone(told["rms_case"], config["clip_seconds"])
    cleaned = retrieval.nearest_caption(arrays["audio_emb"], arrays["heard_emb"])
    ids = [-1 if silent else int(index) for silent, index in zip(quiet, cleaned, strict=True)]
    yield same("mcanet", "cleaned captions of sound", ids, arrays["heard_id_after_cleaning"])
    caption_of = {clip: told["heard_texts"][index] for clip, index in enumerate(ids) if index >= 0}
    half = windows.lavad_half(video["fps"])
    spans = [windows.window(int(centre), video["n_frames"], half) for centre in seen["centres"]]
    frames = [windows.spread(*span, 10) for span in spans]
    heard = [sound.heard(each, caption_of, config["interval"]) for each in frames]
    yield same("mcanet", "heard captions", heard, [row["heard"] for row in told["requests"]])
    texts = [[video["caption_texts"][i] for i in row if i >= 0] for row in seen["cleaned_caption_id"]]
    yield same("mcanet", "seen captions", texts, [row["seen"] for row in told["requests"]])
    clips = [sorted({c for c in sound.clips_of(each, config["interval"]) if ids[c] >= 0}) for each in frames]
    yield same("mcanet", "sounding clips", clips, told["windows_with_sound"])
    vectors = [retrieval.mean_unit(arrays["audio_emb"][each]) if each else np.zeros(16) for each in clips]
    width = arrays["audio_emb"].shape[1]
    vectors = [one if one.shape == (width,) else np.zeros(width) for one in vectors]
    yield close("mcanet", "sound of windows", np.stack(vectors), arrays["audio_window_emb"])
    yield from _refinement(told, dict(arrays), video, seen, np.stack(vectors), np.array([bool(c) for c in clips]))
    assert n == len(seen["centres"])


def _tone(case: dict[str, Any], seconds: float) -> Checks:
    times = np.arange(case["sample_rate"] * case["seconds"]) / case["sample_rate"]
    tone = case["amplitude"] * np.sin(2 * np.pi * case["tone_hz"] * times)
    track = np.where((times >= case["tone_start"]) & (times < case["tone_end"]), tone, 0.0)
    rows = case["clips"]
    spans = [sound.clip_span(r["centre"], case["fps"], len(track), case["sample_rate"], seconds) for r in rows]
    yield same("mcanet", "samples of clips", spans, [(r["first_sample"], r["end_sample"]) for r in rows])
    levels = [sound.rms(track[start:end]) for start, end in spans]
    yield close("mcanet", "root mean square", levels, [r["rms"] for r in rows])
    wanted = [-999.0 if r["dbfs"] == "-inf" else r["dbfs"] for r in rows]
    yield close("mcanet", "decibels", [max(sound.dbfs(level), -999.0) for level in levels], wanted)
    silent = [sound.is_silent(track[start:end]) for start, end in spans]
    yield same("mcanet", "silence", silent, [r["silent"] for r in rows])


def _refinement(
    told: dict[str, Any], arrays: dict[str, Any], video: dict[str, Any], seen: Any, sounds: Any, sounding: Any
) -> Checks:
    config = told["config"]
    right = [parse.bracket_score(reply).value for reply in told["score_replies"]]
    parsed = np.array([np.nan if value is None else value for value in right])
    yield close("mcanet", "parsed", np.where(np.isnan(parsed), -1, parsed), arrays["parsed"])
    scores = windows.filled(seen["centres"], parsed)
    yield close("mcanet", "interpolated", scores, arrays["interpolated"])
    texts, first = retrieval.distinct(video["summaries"])
    order = [video["summary_texts"].index(text) for text in texts]
    cosines = retrieval.unit(seen["clip_emb"]) @ retrieval.unit(seen["summary_emb"])[order].T
    spoken = retrieval.unit(sounds) @ retrieval.unit(arrays["summary_emb_audio_space"])[order].T
    for name, beta in (("beta0", 0.0), ("beta", config["beta"])):
        mixed = retrieval.with_sound(cosines, spoken, sounding, beta)
        columns, _ = retrieval.neighbours(mixed, config["K"])
        found = seen["centres"][first[columns]]
        yield same("mcanet", f"neighbours, {name}", np.sort(found), np.sort(arrays[f"neighbours_{name}"]))
        refined = retrieval.refined_by(mixed, first, scores, config["K"])
        yield close("mcanet", f"refined, {name}", refined, arrays[f"refined_{name}"])
        frames = windows.held(refined, video["n_frames"], config["interval"])
        yield close("mcanet", f"frames, {name}", frames, arrays[f"frame_score_{name}"])
