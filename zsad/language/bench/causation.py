"""CUVA's and ECVA's data: the table of annotations, and the list of questions by task; and names of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zsad.errors import DatasetError, ZsadError
from zsad.language.bench.items import Data, Question
from zsad.language.bench.places import Places
from zsad.language.bench.reading import once, one_file, read_csv, read_rows, text_of
from zsad.language.bench.sheets import read_sheet
from zsad.language.parse import category, detection, key_sentences, moment_cells, type_cells
from zsad.outside import printable, shown

TASKS = ("Detection", "Classification", "Timestamp", "Description", "Cause", "Result")
"""CUVA's six, in the order of the figures."""
FREE = ("Description", "Cause", "Result")
"""Those that are answered in words."""
VIDEO = ("visual_input", "video_file", "video_name", "video_id", "video")
TASK = ("task", "task_type", "question_id")
_NAMES = {
    "detection": "Detection", "det": "Detection", "classification": "Classification", "cls": "Classification",
    "timestamp": "Timestamp", "time": "Timestamp", "time_segment": "Timestamp", "description": "Description",
    "des": "Description", "cause": "Cause", "cau": "Cause", "reason": "Cause", "result": "Result", "res": "Result",
    "outcome": "Result",
}  # fmt: skip
_FORM = "a table of annotations (.xlsx or .csv), or a list of {task, visual_input, ID, output} in JSON,"
_UNUSABLE = "a usable right answer to"
HEAD_WORDS = {"Cause": "reason", "Result": "result", "Description": "description", "sentences": "key sentence"}


def task_of(name: str) -> str | None:
    """Return the task that a name stands for, or None.

    >>> task_of("outcome"), task_of("Des"), task_of("other")
    ('Result', 'Description', None)
    """
    return _NAMES.get(name.strip().lower())


def read(data: Path, places: Places, tasks: Sequence[str] = TASKS) -> Data:
    """Read the questions of a table of annotations, or of a list of questions by task.

    Args:
        data: the file, or a folder that has only one.
        places: where the videos are.
        tasks: those that are asked.

    Raises:
        DatasetError: no such file, an entry of another form, or a question twice.
    """
    file = one_file(data, ("*.xlsx", "*.csv", "*test*.json*", "*.json*"), _FORM)
    skipped: Counter[str] = Counter()
    if file.suffix.lower() in (".json", ".jsonl"):
        rows = enumerate(read_rows(file), 1)
        questions = [one for i, row in rows for one in _of_entry(file, i, row, places, tasks, skipped)]
    else:
        table = read_sheet(file) if file.suffix.lower() == ".xlsx" else read_csv(file)
        questions = list(_of_table(file, table, places, tasks, skipped))
    once([question.id for question in questions], file)
    notes = tuple(f"{printable(file.name)}: rows without {what}: {count}" for what, count in skipped.items())
    return Data(tuple(questions), notes=notes)


def entry_id(row: dict[str, Any], where: str, refuse: type[ZsadError] = DatasetError) -> tuple[str, str, str]:
    """Return a question's id, task and video of an entry that names them, whichever of the published names it uses.

    Raises:
        ZsadError: ``refuse``, where it has no task or video, or a task that is none.
    """
    said = text_of(row, where, *TASK, refuse=refuse)
    task = task_of(said)
    if task is None:
        raise refuse(f"{where}: task {shown(said)} is none of {', '.join(TASKS)}; give a file of these")
    video = text_of(row, where, *VIDEO, refuse=refuse)
    number = text_of(row, where, "ID", refuse=refuse) if "ID" in row else _number(video)
    return f"{task}/{number}", task, video


def _number(video: str) -> str:
    """Return what stands for a video in an id: the number of ``00042.mp4``, else its name."""
    stem = video.rpartition(".")[0] or video
    return str(int(stem)) if stem.isascii() and stem.isdigit() and len(stem) < 10 else video


def _of_entry(
    file: Path, number: int, row: dict[str, Any], places: Places, tasks: Sequence[str], skipped: Counter[str]
) -> Iterator[Question]:
    where = f"{printable(file)}, entry {number}"
    name, task, video = entry_id(row, where)
    gold = text_of(row, where, "answer", "human_expert_answer", "output").strip()
    if task not in tasks:
        return
    if not usable(task, gold):
        skipped[f"{_UNUSABLE} {task}"] += 1
        return
    moments = tuple((float(a), float(b)) for a, b in moment_cells(gold)) if task == "Timestamp" else ()
    yield Question(name, video, task, gold, path=places.find(video), moments=moments)


def usable(task: str, gold: str) -> bool:
    """Whether a right answer can be compared with."""
    if task == "Detection":
        return detection(gold).value is not None
    if task == "Classification":
        return bool(categories(gold))
    return bool(moment_cells(gold)) if task == "Timestamp" else bool(gold.strip())


def categories(gold: str) -> set[int]:
    """Return the right categories: of cells ``[category-sub,score]``, or of one number or name."""
    found = {kind for kind, *_ in type_cells(gold)}
    if not found and (one := category(gold).value) is not None:
        found = {one}
    return {kind for kind in found if 1 <= kind <= 11}


def _of_table(
    file: Path, table: list[dict[str, str]], places: Places, tasks: Sequence[str], skipped: Counter[str]
) -> Iterator[Question]:
    named = columns(printable(file), table)
    for row in table:
        number = row.get(named["id"], "").strip().removesuffix(".0")
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            skipped["a whole number as video_id"] += 1
            continue
        cells = {name: row.get(column, "").strip() for name, column in named.items()}
        moments = tuple((float(a), float(b)) for a, b in moment_cells(cells.get("Timestamp", "")))
        cells["Detection"] = "YES" if moments or type_cells(cells.get("Classification", "")) else ""
        video = f"{int(number):05d}.mp4"
        path, sentences = places.find(video), tuple(key_sentences(cells.get("sentences", "")))
        for task in tasks:
            gold = cells.get(task, "")
            if usable(task, gold):
                yield Question(
                    f"{task}/{int(number)}", video, task, gold, path=path, moments=moments, sentences=sentences
                )
            else:
                skipped[f"{_UNUSABLE} {task}"] += 1


def columns(where: str, table: list[dict[str, str]]) -> dict[str, str]:
    """Return what each column is: by the words of its name, moments and types by their cells."""
    if not table:
        raise DatasetError(f"{where}: no rows below a header; give the table of annotations")
    names = list(table[0])
    by_word = {kind: next((name for name in names if word in name.lower()), "") for kind, word in HEAD_WORDS.items()}
    lower = {name.lower().replace(" ", "_"): name for name in names}
    found = {kind: name for kind, name in by_word.items() if name}
    found["id"] = next((lower[name] for name in ("video_id", "id") if name in lower), "")
    if not found["id"]:
        raise DatasetError(f"{where}: no column video_id; give the table of annotations, or name the column so")
    readers: tuple[tuple[str, Callable[[str], list[Any]]], ...] = (
        ("Timestamp", moment_cells), ("Classification", type_cells),
    )  # fmt: skip
    for kind, reads in readers:
        counts = {name: sum(bool(reads(row.get(name, ""))) for row in table) for name in names}
        best = max(counts, key=lambda name: counts[name])
        if counts[best]:
            found[kind] = best
    return found
