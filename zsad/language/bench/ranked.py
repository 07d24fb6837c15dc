"""ECVA's key clips: four quarters of each video described, ranked by the model, and the two best ones shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from zsad.errors import InputError
from zsad.language.asking import Picture
from zsad.language.bench import ecva
from zsad.language.bench.frames import QUARTERS, best, quarters
from zsad.language.bench.jobs import Job, of_video, run
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.prompts import PromptSet
from zsad.outside import printable, terminal


def ranked_frames(
    gateway: Gateway,
    prompts: PromptSet,
    videos: Mapping[Path, str],
    footage_of: Callable[[Path], Footage],
    count: int,
    broken: dict[str, str],
) -> dict[Path, tuple[int, ...]]:
    """Return the frames of the two best quarters of each video; all frames where no order can be read.

    Args:
        gateway: the way to the model.
        prompts: ECVA's set.
        videos: path -> name.
        footage_of: opens one.
        count: frames before the choice.
        broken: takes the names of videos that can't be read.
    """
    parts: dict[Path, list[tuple[int, ...]]] = {}

    def captions() -> Iterator[Job]:
        for path, name in videos.items():
            try:
                footage = footage_of(path)
                parts[path] = quarters(footage, count)
                if len(parts[path]) < QUARTERS:
                    continue

                def make(k: int, pictures: list[Picture], path: Path = path, name: str = name) -> list[Job]:
                    return [Job((path, k), ecva.caption_ask(prompts, f"{name} quarter {k + 1}", pictures))]

                yield from of_video(gateway, footage, {part: [k] for k, part in enumerate(parts[path])}, make)
            except InputError as error:
                broken[printable(name)] = terminal(error, 160)

    said: dict[Path, dict[int, str]] = {}
    for got in run(gateway, captions()):
        path, k = got.job.of
        if got.text.strip():
            said.setdefault(path, {})[k] = got.text
    whole = {path: found for path, found in said.items() if len(found) == QUARTERS}
    jobs = [ecva.rank_job(prompts, videos[path], [found[k] for k in range(QUARTERS)]) for path, found in whole.items()]
    orders = {path: got.value for path, got in zip(whole, run(gateway, jobs), strict=True)}
    return {path: best(found, orders.get(path)) for path, found in parts.items()}
