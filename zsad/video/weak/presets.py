"""The published models as data: which blocks, of which size, trained how. Nothing here computes."""

from __future__ import annotations

from zsad.video.learned.config import Config, Context, Head, Loss, Recipe, Temporal

UCF = (
    "normal", "abuse", "arrest", "arson", "assault", "burglary", "explosion", "fighting", "roadAccidents", "robbery",
    "shooting", "shoplifting", "stealing", "vandalism",
)  # fmt: skip
XD = ("normal", "fighting", "shooting", "riot", "abuse", "car accident", "explosion")

PRESETS: dict[str, Config] = {
    "vadclip-ucf": Config(
        temporal=Temporal("windows", layers=2, window=8, length=256),
        context=Context("graphs", threshold=0.7),
        head=Head("aligned", prefix=10, postfix=10, branch="binary"),
        loss=Loss("aligned", prompt=0.1),
        recipe=Recipe(lr=2e-5, epochs=10, batch=64, milestones=(4, 8)),
    ),
    "vadclip-xd": Config(
        temporal=Temporal("windows", layers=1, window=64, length=256),
        context=Context("graphs", threshold=0.7),
        head=Head("aligned", prefix=10, postfix=10, branch="classes"),
        loss=Loss("aligned", prompt=1e-4),
        recipe=Recipe(lr=1e-5, epochs=10, batch=48, milestones=(3, 6, 10)),
    ),
    "urdmu": Config(
        width=1024,
        temporal=Temporal(
            "distance", layers=2, heads=4, head_width=128, hidden=512, width=512, dropout=0.5, length=1024
        ),
        context=Context("memories", slots=60),
        head=Head("memory", hidden=128),
        loss=Loss("memory"),
        recipe=Recipe("adam", lr=1e-4, weight_decay=5e-5, epochs=250, batch=64, segments=200),
    ),
    "ovvad": Config(
        unit=True,
        temporal=Temporal("adapter", decay=1 / 0.07, length=256),
        context=Context("phrases"),
        head=Head("attended", hidden=1024, prefix=4, postfix=0, temperature=0.07),
        loss=Loss("open", similarity=0.1),
        recipe=Recipe(lr=1e-4, epochs=20, batch=32),
    ),
    "vador": Config(
        width=768,
        temporal=Temporal("queries", layers=2, heads=12, queries=4, clip=8, tokens=32, length=256),
        context=Context("banks", keep=3, hidden=64),
        head=Head("queries", hidden=64),
        loss=Loss("margin"),
        recipe=Recipe(lr=1e-5, weight_decay=1e-3, beta2=0.98, epochs=30, batch=4, warmup=1000, final=0.1),
    ),
}
NAMED = ("aligned", "attended")
"""Kinds of heads that compare with class names."""
