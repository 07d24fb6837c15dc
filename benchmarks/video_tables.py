"""Tables of what is measured on videos: ``video.json``, ``video_speed.json`` and ``video_metrics.json``."""

from __future__ import annotations

from typing import Any


def _about(data: dict[str, Any]) -> str:
    machine = data.get("hardware") or data["machine"]
    return f"{machine['processor']}, {machine['cores']} cores; commit {(data['commit'] or 'unknown')[:12]}."


def video_markdown(data: dict[str, Any]) -> str:
    """Return what methods without training find in Ped2's clip, in three cuts, and on a conveyor."""
    lines = [_about(data), ""]
    if ped2 := data.get("ped2"):
        lines += [
            f"Ped2, test clip 02 ({ped2['frames']} frames, {ped2['anomalous']} anomalous): frame AUC in percent, "
            "refined by the causal mean of nine; normal footage is the clip's first six seconds.\n",
            "| method | AUC | AUC after the footage | ms a frame |",
            "| --- | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {name} | {100 * row['auc']:.1f} | {100 * row['auc_after_normal']:.1f} | {row['ms']:.1f} |"
            for name, row in ped2["methods"].items()
        ]
        lines += [
            f"| {name.replace('_', ' ')}, without looking | {100 * value:.1f} | | |"
            for name, value in ped2["without_looking"].items()
        ]
        lines.append("")
    for name, row in data.get("cuts", {}).items():
        lines.append(
            f"- `{name}`: of {row['frames']} frames, {row['peak']} moves most, "
            f"{row['peak_over_median']:.1f} times the median."
        )
    rows = {key: row for key, row in data.get("conveyor", {}).items() if isinstance(row, dict)}
    if rows:
        lines += [
            "\nConveyor: defects drawn on bottles, a memory of 15 other frames; AUC over frames (mean, lowest), "
            "and the share of defects with an event that begins within 5 frames.\n",
            "| picture, contrast | AUC | lowest | events in time |",
            "| --- | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {name} | {100 * row['auc']:.1f} | {100 * row['auc_lowest']:.1f} | {100 * row['near']:.0f} % |"
            for name, row in rows.items()
        ]
    return "\n".join(lines) + "\n"


def video_speed_markdown(data: dict[str, Any]) -> str:
    """Return how fast videos are scored, in how much memory, and how large a page is."""
    lines = [_about(data), ""]
    if loop := data.get("loop"):
        lines.append(
            f"- A file of 360 x 240: {loop['score_per_s']:.1f} frames a second, {loop['share']:.2f} of the loop's own "
            f"rate on decoded frames ({loop['loop_per_s']:.1f})."
        )
    if high := data.get("high"):
        lines.append(
            f"- {high['video_s']} s of 1920 x 1080 at stride 8: {high['seconds']:.0f} s, "
            f"{high['memory_mb']:.0f} MB at most."
        )
    if hour := data.get("hour"):
        lines.append(
            f"- {hour['video_s']} s by frame difference: {hour['whole']['seconds']:.0f} s, "
            f"{hour['whole']['memory_mb']:.0f} MB "
            f"(a tenth of it: {hour['tenth']['memory_mb']:.0f} MB); its page {hour['page_bytes'] / 1e6:.2f} MB."
        )
    if stream := data.get("stream"):
        lines.append(
            f"- {stream['frames']:,} frames streamed: {stream['memory_mb_at_the_end']:.0f} MB "
            f"({stream['memory_mb_at_a_tenth']:.0f} MB after a tenth of them)."
        )
    return "\n".join(lines) + "\n"


def video_metrics_markdown(data: dict[str, Any]) -> str:
    """Return how long the figures of a test set take."""
    seconds = data["seconds"]
    return (
        f"{_about(data)} UCF-Crime, {data['videos']} videos, {data['frames']:,} frames: metrics with baselines "
        f"{seconds['metrics_with_baselines']['wall']:.1f} s, {data['resamples']:,} resamples "
        f"{seconds['resamples']['wall']:.1f} s.\n"
    )
