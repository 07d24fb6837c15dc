"""Result files about stations and batches -> Markdown; ``readme.py`` puts them where they belong."""

from __future__ import annotations

from typing import Any


def line_speed_markdown(data: dict[str, Any]) -> str:
    """Return what a station costs beside the bare loop; a part that was not measured has no row."""
    lines = [_about(data), "", "| what | figure | limit |", "| --- | ---: | ---: |"]
    if "rate" in data:
        bare, station = (_middle(data["rate"][f"{name}_parts_a_second"]) for name in ("bare", "station"))
        lines += [
            f"| bare loop, decode to regions | {bare:.1f} parts/s | |",
            f"| station, file to committed verdict | {station:.1f} parts/s | |",
            f"| its share of the bare loop | {data['rate']['share']:.2f} | at least {_limit(data, 'rate')} |",
        ]
    if "latency" in data:
        one = data["latency"]
        lines += [
            f"| latency at {one['parts_a_second']:.1f} parts/s, p50 / p95 / p99 | {one['p50']:.0f} / "
            f"{one['p95']:.0f} / {one['p99']:.0f} ms | |",
            f"| p99 over p50 | {one['tail']:.2f} | below {_limit(data, 'latency')} |",
        ]
    if "predict" in data:
        one = data["predict"]
        lines += [
            f"| `/predict` over the bare detector ({one['predict_ms']:.1f} of {one['bare_ms']:.1f} ms) | "
            f"{one['share']:.2f} | at most {_limit(data, 'predict')} |"
        ]
    if "memory" in data:
        one = data["memory"]
        lines += [
            f"| memory after a tenth and at the end of {one['parts']:,} parts | {one['mb_after_a_tenth']:.0f} and "
            f"{one['mb_at_the_end']:.0f} MB | |",
            f"| its growth | {100 * one['growth']:.1f} % | below {100 * data['limits']['memory']:g} % |",
        ]
    return "\n".join(lines) + "\n"


def line_kills_markdown(data: dict[str, Any]) -> str:
    """Return what a station that is killed over and over keeps."""
    faults = sum(data["faults"].values())
    return (
        f"{_about(data)} A station with JSONL, CSV, archive and webhook was killed {data['kills']} times (SIGKILL) "
        f"while parts arrived, {data['killed_at_work']} times after new rows: {data['files']:,} files are "
        f"{data['rows']:,} rows, {faults} faults ({', '.join(name.replace('_', ' ') for name in data['faults'])}); "
        f"{data['posted_again']} parts were posted again, with the same key.\n"
    )


def batch_speed_markdown(data: dict[str, Any]) -> str:
    """Return the rates of both engines with one worker and two."""
    lines = [
        f"{_about(data)} The bundled model, drawn parts of 512 x 512 px out of tar shards, one thread a worker. Rates "
        "count from the first finished chunk on.\n",
        "| engine | workers | images | images/s | times one worker | until the first chunk |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    alone = {one["engine"]: one["images_a_second"] for one in data["runs"] if one["workers"] == 1}
    for one in data["runs"]:
        times = f"{one['images_a_second'] / alone[one['engine']]:.2f}" if one["engine"] in alone else "-"
        lines.append(
            f"| {one['engine']} | {one['workers']} | {one['images']:,} | {one['images_a_second']:.1f} | {times} | "
            f"{one['to_first_chunk']:.1f} s |"
        )
    return "\n".join(lines) + "\n"


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _limit(data: dict[str, Any], name: str) -> str:
    return f"{data['limits'][name]:g}"


def _about(data: dict[str, Any]) -> str:
    machine = data["machine"]
    return f"{machine['processor']}, {machine['cores']} cores; commit {(data['commit'] or 'unknown')[:12]}."
