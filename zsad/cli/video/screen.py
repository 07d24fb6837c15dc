"""What a command of videos shows while it works, and at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zsad.cli.lines import say
from zsad.cli.terminal import Terminal, field, table
from zsad.outside import printable

if TYPE_CHECKING:
    from zsad.video.run import Done

_ROWS = 40


class Screen:
    """A bar with the frames of the video under way and the time left, if someone is watching; then a table.

    Args:
        count: how many videos there are.
    """

    def __init__(self, count: int) -> None:
        self._console = Terminal(stderr=True)
        self._count, self._number = count, 0
        self._bar: Any = _bar(self._console) if self._console.is_terminal else None

    def __enter__(self) -> Screen:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage(self, name: str, stage: str) -> Callable[[int, int | None], None]:
        """Return what is told of a video's progress."""
        if self._bar is None:
            return lambda done, total: None
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        which = f"{min(self._number + 1, self._count)} of {self._count}  " if self._count > 1 else ""
        task = self._bar.add_task("", total=None, what=f"{which}{printable(name)[:40]}  {stage}")
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def done(self, one: Done) -> None:
        """Take note of a video, and say at once what is wrong with it."""
        self._number += 1
        if one.error:
            say(f"{'partial' if one.told else 'failed'}  {one.error}", style="red", error=True)

    def summary(self, done: Sequence[Done], out: Path) -> None:
        """Print a table of the videos, those with the highest peak first, and where everything lies."""
        shown = table("video", "frames", "score", "events", "first event", "frames/s", left=1)
        scored = sorted((one for one in done if one.told), key=lambda one: -(one.told.score if one.told else 0))
        for one in scored[:_ROWS]:
            told = one.told
            assert told is not None
            first = f"{told.events[0]['start_s']:.1f}-{told.events[0]['end_s']:.1f} s" if told.events else "-"
            rate = "before" if one.skipped else f"{told.n_frames / one.seconds:.1f}" if one.seconds else "-"
            name = printable(one.name) + (" (partial)" if told.partial else "")
            shown.add_row(name, f"{told.n_frames:,}", f"{told.score:.3g}", f"{len(told.events)}", first, rate)
        console = Terminal()
        if scored:
            console.print(shown)
        if len(scored) > _ROWS:
            say(f"and {len(scored) - _ROWS:,} more")
        _named(scored[:_ROWS])
        if any(one.told is not None and one.told.hint for one in done):
            say("No threshold is given: events are where scores are highest in their video, and accuse nobody. "
                "Normal footage sets one: zsad video calibrate", style="yellow")  # fmt: skip
        failed = sum(one.told is None for one in done)
        if failed:
            say(f"{failed} of {len(done)} videos failed", style="red")
        say(f"Wrote {printable(out)}")


def _named(scored: Sequence[Done]) -> None:
    """Print the events of methods that name them, such as ``clip: 12.8-20.3 s fighting 0.91``."""
    lines = [
        f"{printable(one.name)}: {event['start_s']:.1f}-{event['end_s']:.1f} s {printable(event['label'])} "
        f"{event['score']:.2f}"
        for one in scored
        for event in (one.told.events if one.told else ())
        if event.get("label")
    ]
    for line in lines[:_ROWS]:
        say(line)
    if len(lines) > _ROWS:
        say(f"and {len(lines) - _ROWS:,} more events")


def _bar(console: Terminal) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    return Progress(
        field("{task.fields[what]}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        field("left"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        refresh_per_second=5,
    )
