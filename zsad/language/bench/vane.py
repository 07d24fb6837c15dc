"""VANE-Bench: multiple choice about ten frames of a clip, counted as published and as the letters are meant.

Source: VANE-Bench (NAACL 2025): one question a call, temperature 0, seed 8; its counter takes exactly one character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zsad.documents import read_bytes
from zsad.errors import DatasetError
from zsad.language.asking import Ask, Picture
from zsad.language.bench.items import Answer, Data, Question, Row
from zsad.language.bench.reading import once
from zsad.language.choices import Accuracy, accuracy, macro_mean, published_match
from zsad.language.parse import letter, options_of, qa_pairs
from zsad.language.pictures import to_jpeg
from zsad.language.prompts import PromptSet
from zsad.outside import printable
from zsad.video.finding import natural
from zsad.video.folders import pictures
from zsad.video.source import SUFFIXES

FRAMES = 10
SLOTS = {"question": ("frames", "question")}
RIGHT, STRICT = "accuracy, letter rule", "accuracy, exact character (as published)"
_END, _DEEPEST = "_qa.txt", 3


def read(data: Path) -> Data:
    """Read the questions: ``SET/CLIP_qa.txt`` beside ``SET/CLIP/`` with frames, or beside ``SET/CLIP.mp4``.

    A set's path below the folder is its category; the folder of one set may be given as well.

    Raises:
        DatasetError: no such file at any of three levels, a file that can't be read, or a question twice.
    """
    if not data.is_dir():
        raise DatasetError(f"{printable(data)}: is no folder; VANE-Bench is one, of sets with CLIP{_END} files")
    files = [path for depth in range(_DEEPEST) for path in data.glob("*/" * depth + f"*{_END}") if path.is_file()]
    if not files:
        raise DatasetError(f"{printable(data)}: unknown layout; CLIP{_END} beside a folder CLIP/ of frames is expected")
    questions: list[Question] = []
    left_out: list[str] = []
    for file in sorted(files, key=lambda path: natural(path.relative_to(data).as_posix())):
        found = _of_file(data, file, left_out)
        questions += found
    once([question.id for question in questions], data)
    return Data(tuple(questions), tuple(left_out))


def _of_file(data: Path, file: Path, left_out: list[str]) -> Iterator[Question]:
    group = file.parent.relative_to(data).as_posix()
    group = data.resolve().name if group == "." else group
    clip, where = file.name.removesuffix(_END), printable(file)
    try:
        text = read_bytes(file, DatasetError).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    pairs = qa_pairs(text)
    if pairs.value is None:
        left_out.append(f"{where}: no questions of it ({pairs.reason})")
        return
    for i, (question, gold) in enumerate(pairs.value, 1):
        if not options_of(question):
            left_out.append(f"{where}: question {i} offers no options")
            continue
        yield Question(f"{group}/{clip}#{i}", clip, "choice", gold, question, group, _place(file.with_name(clip)))


def _place(clip: Path) -> Path | None:
    if clip.is_dir():
        return clip
    return next((path for end in sorted(SUFFIXES) if (path := clip.with_name(clip.name + end)).is_file()), None)


def frames_of(folder: Path, count: int) -> list[Picture]:
    """Return the pictures of a folder in the order of the numbers in their names, evenly chosen if there are more.

    Raises:
        InputError: it has none, or one can't be read.
    """
    from zsad.errors import InputError
    from zsad.images.preprocess import decode
    from zsad.language.windows import even

    files = sorted(pictures(folder), key=lambda path: natural(path.name))
    if not files:
        raise InputError(f"{printable(folder)}: no pictures in it")
    chosen = range(len(files)) if len(files) <= count else even(0, len(files), count)
    return [Picture.of(to_jpeg(decode(files[i]).image)) for i in chosen]


def ask(prompts: PromptSet, question: Question, frames: Sequence[Picture]) -> Ask:
    """Return the question to the model."""
    return prompts["question"].ask(question.id, frames=list(frames), question=question.text)


def rows(answers: Sequence[Answer]) -> list[Row]:
    """Return accuracy by both readings, of each category, of all, and the mean of the categories."""
    groups = list(dict.fromkeys(answer.question.group for answer in answers))
    parts = {group: [answer for answer in answers if answer.question.group == group] for group in groups}
    found: list[Row] = []
    right = {group: _right(part) for group, part in parts.items()}
    for group, part in parts.items():
        found += [_row(group, RIGHT, right[group]), _strict(group, part)]
    if len(parts) > 1:
        found += [_row("all", RIGHT, _right(answers)), _strict("all", answers)]
        mean = macro_mean(right.values())
        found.append(Row("mean of categories", RIGHT, mean, 100, len(groups), 0, "each category counts the same"))
    return found


def verdict(answer: Answer) -> tuple[str, bool]:
    """Return what was read of an answer, and whether it is right."""
    value, reason = _letter(answer)
    return value or f"({reason})", value == answer.question.gold


def _letter(answer: Answer) -> tuple[str | None, str]:
    if answer.reason:
        return None, answer.reason
    return letter(answer.text, options_of(answer.question.text))


def _right(answers: Sequence[Answer]) -> Accuracy:
    return accuracy([_letter(answer)[0] for answer in answers], [answer.question.gold for answer in answers])


def _row(task: str, metric: str, found: Accuracy, note: str = "") -> Row:
    return Row(task, metric, found.percent, 100, found.total, found.unparsed, note)


def _strict(task: str, answers: Sequence[Answer]) -> Row:
    matches = [published_match(answer.text, answer.question.gold) for answer in answers]
    broken = sum(match is None for match in matches)
    percent = 100 * sum(match is True for match in matches) / len(matches) if matches else None
    note = f"the published counter breaks on {broken} of them; counted as wrong" if broken else ""
    return Row(task, STRICT, percent, 100, len(matches), broken, note)
