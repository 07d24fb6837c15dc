"""Questions and answers to teach a language model with, out of labels and captions: JSON lines for any trainer.

Forms are those of VAD-LLaMA, Holmes-VAD and HAWK; the words are our own. The same seed gives the same lines, whatever
the order of the videos.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsad.documents import parse_json
from zsad.errors import InputError
from zsad.outside import printable, shown
from zsad.video.labels import Labels, VideoLabel

IS_THERE = (
    "Is there anything anomalous in this video?",
    "Does something unusual happen here, and when?",
    "Look at this video: is there an anomaly, of which kind, and from when to when?",
    "Can an anomaly be seen in this footage?",
)
DESCRIBE = (
    "Describe what is anomalous in this video.",
    "What happens in this video? Go into what is unusual.",
    "Say in a few sentences what this footage shows.",
    "Give an account of the events in this video.",
)
ANALYSE = ("Why is this anomalous, or why not?", "What speaks for an anomaly here, and what against it?")
_LONGEST = 20_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What is written about a video.

    Attributes:
        description: what it shows, or ``""``.
        analysis: why it is anomalous or not, or ``""``.
        qa: further questions with their answers.
    """

    description: str = ""
    analysis: str = ""
    qa: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Event:
    """An anomaly: its class, and its seconds."""

    label: str
    start: float
    end: float


def read_captions(path: Path) -> dict[str, Said]:
    """Read what is written about videos: JSON lines with ``video``, and ``description``, ``analysis``, ``qa`` or some.

    Raises:
        InputError: it can't be read, or a line is of another form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{printable(path)}: can't be read ({error.__class__.__name__}); give JSON lines") from None
    found: dict[str, Said] = {}
    for number, line in enumerate(lines, 1):
        where = f"{printable(path)}:{number}"
        if not line.strip():
            continue
        row = parse_json(line, where, InputError)
        texts = [row.get(name, "") for name in ("video", "description", "analysis")] if isinstance(row, dict) else [""]
        if not all(isinstance(text, str) and len(text) <= _LONGEST for text in texts) or not texts[0]:
            raise InputError(f"{where}: needs a text video, and texts description, analysis or a list qa")
        pairs = row.get("qa", [])
        good = isinstance(pairs, list) and all(
            isinstance(one, dict) and all(isinstance(one.get(key), str) and one[key].strip() for key in "qa")
            for one in pairs
        )
        if not good:
            raise InputError(f'{where}: qa is {shown(pairs)}, it must be a list of {{"q": text, "a": text}}')
        if texts[0] in found:
            raise InputError(f"{where}: video {shown(texts[0])} is there twice; join its lines")
        found[texts[0]] = Said(texts[1].strip(), texts[2].strip(), tuple((one["q"], one["a"]) for one in pairs))
    return found


def events_of(video: VideoLabel, fps: float) -> list[Event]:
    """Return the anomalies of a video in seconds, in the order of time.

    Raises:
        InputError: they are in frames, and nobody knows how many frames a second has.
    """
    if video.timed:
        return [Event(span.label, span.start, span.end) for span in sorted(video.timed, key=lambda span: span.start)]
    rate = video.fps or fps
    events = [(span.label, span.start, span.end) for span in video.events]
    spans = events or [(video.label, start, end) for start, end in video.spans]
    if spans and not rate:
        raise InputError(f"{printable(video.name)}: its frames per second are unknown; give --fps N")
    return [Event(label, start / rate, end / rate) for label, start, end in sorted(spans, key=lambda one: one[1:])]


def judged(video: VideoLabel, events: Sequence[Event]) -> str:
    """Return the answer whether there is an anomaly, of which kind and when."""
    if not video.abnormal:
        return "No, there is no anomaly in this video."
    if not events:
        return f"Yes, there is {video.label}."
    said = [f"{event.label} from {event.start:.1f} s to {event.end:.1f} s" for event in events]
    return f"Yes, there is {', and '.join(said)}."


def _vadllama(video: VideoLabel, events: Sequence[Event], said: Said, rng: random.Random) -> Iterator[Row]:
    pairs = [(rng.choice(IS_THERE), judged(video, events)), *said.qa]
    row: Row = {"video": video.name, "temporal_label": [[event.start, event.end] for event in events],
                "video_label": video.label, "length": video.n_frames}  # fmt: skip
    yield {**row, "QA": [{"q": question, "a": answer} for question, answer in pairs]}


def _holmes(video: VideoLabel, events: Sequence[Event], said: Said, rng: random.Random) -> Iterator[Row]:
    parts = [
        ("judgement", rng.choice(IS_THERE), judged(video, events)),
        ("description", rng.choice(DESCRIBE), said.description),
        ("analysis", rng.choice(ANALYSE), said.analysis),
        *(("question", question, answer) for question, answer in said.qa),
    ]
    for number, (task, question, answer) in enumerate(parts):
        if answer:
            turns = [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]
            yield {"id": f"{video.name}#{number}", "video": video.name, "task": task, "conversations": turns}


def _hawk(video: VideoLabel, events: Sequence[Event], said: Said, rng: random.Random) -> Iterator[Row]:
    """Give a question, or in half of the cases one for a description instead, where there is one."""
    describe = rng.random() < 0.5
    question, pairs = rng.choice(DESCRIBE), [(rng.choice(IS_THERE), judged(video, events)), *said.qa]
    if describe and said.description:
        pairs = [(question, said.description)]
    row: Row = {"video": video.name, "QA": [{"q": question, "a": answer} for question, answer in pairs]}
    yield {**row, "description": said.description}


Form = Callable[[VideoLabel, Sequence[Event], Said, random.Random], Iterator[Row]]
FORMS: Mapping[str, Form] = {"vadllama": _vadllama, "holmes": _holmes, "hawk": _hawk}
"""Name of a form -> what makes a video's rows."""


def pairs(form: str, labels: Labels, captions: Mapping[str, Said], seed: int = 8, fps: float = 0.0) -> Iterator[Row]:
    """Yield the rows of a set of videos.

    Args:
        form: one of :data:`FORMS`.
        labels: of the videos.
        captions: by the names of the videos.
        seed: of the choice among questions of one meaning.
        fps: frames per second, where the labels don't say.

    Raises:
        InputError: a caption of a video without a label, or seconds that can't be known.
    """
    names = {video.name for video in labels.videos}
    strange = sorted(set(captions) - names)
    if strange:
        raise InputError(f"{labels.title}: has no video {shown(strange[0])}, which the captions name; name it alike")
    for video in labels.videos:
        rng = random.Random(f"{seed} {form} {video.name}")
        said = captions.get(video.name, Said())
        for row in FORMS[form](video, events_of(video, fps or labels.fps), said, rng):
            yield {"form": form, **row}
