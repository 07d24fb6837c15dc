"""Small drawn copies of the layouts that the five benchmarks are published in; every text is our own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from tests.language.clips import write_frames

QUESTION = "Which oddity is there? A) a hand in the cup B) a wrong shadow C) two dogs merge D) nothing"


def vane(root: Path, sets: dict[str, dict[str, str]]) -> Path:
    """Write sets of clips: set -> clip -> the right letters of its questions; the set's number is its grey."""
    for level, (name, clips) in enumerate(sets.items()):
        for clip, golds in clips.items():
            folder = root / name / clip
            folder.mkdir(parents=True)
            for i in range(9, 12):  # frame_9 comes before frame_10
                Image.new("RGB", (32, 24), (60 + 90 * level + i,) * 3).save(folder / f"frame_{i}.jpg")
            pairs = [{"Q": f"({clip} {i}) {QUESTION}", "A": f"{gold})"} for i, gold in enumerate(golds)]
            folder.with_name(f"{clip}_qa.txt").write_text(repr(pairs))
    return root


def videos(root: Path, names: list[str], frames: int = 40) -> Path:
    """Write videos as folders of numbered frames, each of its own grey."""
    for i, name in enumerate(names):
        write_frames(root / name, [40 + 30 * i] * frames)
    return root


def hawk(root: Path) -> Path:
    """Write HAWK's list: two videos that are there, and one that is not."""
    rows = [
        {"video": "UCF/car.mp4", "description": "A red car hits a wall.",
         "QA": [{"q": "What does the car hit?", "a": "a wall"}, {"q": "Which colour has it?", "a": "red"}]},
        {"video": "UCF/yard.mp4", "description": "A dog runs through the yard.",
         "QA": [{"q": "Who runs?", "a": "a dog"}]},
        {"video": "DoTA/gone.mp4", "description": "A bus stops.", "QA": []},
    ]  # fmt: skip
    (root / "All_Mix").mkdir(parents=True)
    (root / "All_Mix" / "all_videos_test.json").write_text(json.dumps(rows))
    return videos(root, ["UCF/car", "UCF/yard"])


def hivau_lines(root: Path) -> Path:
    """Write HIVAU's lines of questions about cut clips."""
    rows = [
        ("clip", "caption", "ucf/clips/a_1.mp4", "What happens?", "Two men fight in a street."),
        ("event", "judgement", "ucf/events/a_1.mp4", "Is it anomalous?", "Yes, there is a fight."),
        ("event", "judgement", "ucf/events/b_1.mp4", "Is it anomalous?", "No, people walk."),
        ("video", "analysis", "ucf/videos/a.mp4", "Why?", "The men hit each other in public."),
    ]
    lines = [
        json.dumps({"id": i, "type": level, "task": task, "video": video, "conversations": [
            {"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]})
        for i, (level, task, video, question, answer) in enumerate(rows)
    ]  # fmt: skip
    (root / "instruction").mkdir(parents=True)
    (root / "instruction" / "merge_instruction_test_final.jsonl").write_text("\n".join(lines) + "\n")
    return videos(root / "videos", ["ucf/clips/a_1", "ucf/events/a_1", "ucf/events/b_1", "ucf/videos/a"]).parent


CUVA_ROWS = [
    {"task": "Detection", "visual_input": "00001.mp4", "ID": 1, "output": "YES"},
    {"task": "Classification", "visual_input": "00001.mp4", "ID": 1, "output": "[5-1,5]"},
    {"task": "Timestamp", "visual_input": "00001.mp4", "ID": 1, "output": "[0005,0010]"},
    {"task": "Description", "visual_input": "00001.mp4", "ID": 1, "output": "A car hits a wall."},
    {"task": "Cause", "visual_input": "00001.mp4", "ID": 1, "output": "The driver looks away."},
    {"task": "Result", "visual_input": "00001.mp4", "ID": 1, "output": "The car burns."},
    {"task": "Detection", "visual_input": "00002.mp4", "ID": 2, "output": "NO"},
    {"task": "Classification", "visual_input": "00002.mp4", "ID": 2, "output": "[9]"},
    {"task": "Timestamp", "visual_input": "00002.mp4", "ID": 2, "output": "[0002,0004]"},
    {"task": "Cause", "visual_input": "00002.mp4", "ID": 2, "output": "A cable glows."},
    {"task": "Timestamp", "visual_input": "00003.mp4", "ID": 3, "output": "[,]"},
]  # fmt: skip


def cuva(root: Path) -> Path:
    """Write CUVA's list of questions by task and two of its three videos; they are of 20 s at 2 frames a second."""
    root.mkdir(parents=True)
    (root / "test.json").write_text(json.dumps(CUVA_ROWS))
    return videos(root, ["part1/00001", "part2/00002"])


HEAD = ["video_id", "X1 - moments", "X1 - type", "X2 - reason (why)", "X2 -  result (what then)", "X3 - description",
        "X4 - key sentences (short)"]  # fmt: skip
ROWS = [
    ["1", "[0005,0010]", "[5-1,5]", "The driver looks away.", "The car burns.", "A car hits a wall.",
     '["car hits wall","car burns"]'],
    ["note", "", "", "", "", "", ""],
    ["2", "[,]", "other words", "A cable glows.", "The house burns.", "", '["cable glows"]'],
]  # fmt: skip


def ecva(root: Path, form: str = "xlsx") -> Path:
    """Write ECVA's table of annotations as a sheet or as CSV, and both videos."""
    root.mkdir(parents=True)
    if form == "xlsx":
        sheet(root / "annotations.xlsx", [HEAD, *ROWS])
    else:
        lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [HEAD, *ROWS]]
        (root / "annotations.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return videos(root, ["00001", "00002"])


def sheet(path: Path, rows: list[list[str]], shared: str | None = None) -> Path:
    """Write an Excel file: numbers as such, texts shared, blank cells absent."""
    texts = list(dict.fromkeys(cell for row in rows for cell in row if cell and not cell.isdigit()))
    lines = []
    for r, row in enumerate(rows, 1):
        cells = []
        for c, cell in enumerate(row):
            at = f"{chr(65 + c)}{r}"
            if cell.isdigit():
                cells.append(f'<c r="{at}"><v>{cell}</v></c>')
            elif cell:
                cells.append(f'<c r="{at}" t="s"><v>{texts.index(cell)}</v></c>')
        lines.append(f'<row r="{r}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    entries = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/sharedStrings.xml", shared or f'<?xml version="1.0" encoding="UTF-8"?><sst {space}>{entries}</sst>'
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
    return path
