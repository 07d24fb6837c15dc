"""Result files about language systems -> Markdown; ``readme.py`` puts them where they belong."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "overhead_ms": "a fresh call above the server's own time, mean",
    "cache_hit_ms": "a kept answer",
    "ask_s": "scored again from what is kept: `ask`",
    "vera_s": "the same: `vera`",
    "lavad_s": "the same: `lavad`",
}


def language_speed_markdown(data: dict[str, Any]) -> str:
    """Return what the gateway costs, and how long scoring again takes."""
    found, limits = data["figures"], data["limits"]
    lines = [
        f"{_about(data)} A scripted server that answers after {data['server_ms']:.0f} ms, {data['at_once']} questions "
        f"at once; {data['windows']:,} windows scored again without opening a video, scaled to those of UCF-Crime's "
        "test set.\n",
        "| what | figure | at most |",
        "| --- | ---: | ---: |",
    ]
    for key, what in _NAMES.items():
        unit = key.rsplit("_", 1)[1]
        lines.append(f"| {what} | {found[key]:.3g} {unit} | {limits[key]:g} {unit} |")
    return "\n".join(lines) + "\n"


def language_kills_markdown(data: dict[str, Any]) -> str:
    """Return what a scoring run that is killed over and over pays twice."""
    same = "the same" if data["same_scores"] else "OTHER"
    return (
        f"{_about(data)} `zsad video score --method ask` over {data['windows']:,} windows was killed {data['kills']} "
        f"times (SIGKILL): {data['requests']:,} requests for {data['distinct']:,} questions, of which "
        f"{data['under_way_at_a_kill']} were under way at a kill and sent again; answers that had come and were paid "
        f"for twice: {data['lost']}. The run after the last one sent {data['sent_by_the_second_run']} and wrote {same} "
        "scores.\n"
    )


def _about(data: dict[str, Any]) -> str:
    machine = data["hardware"]
    return f"{machine['processor']}, {machine['cores']} cores; commit {(data['commit'] or 'unknown')[:12]}."
