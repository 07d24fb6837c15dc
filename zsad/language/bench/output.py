"""What a run of a benchmark leaves: ``results.json``, ``answers.jsonl`` and a page; the same bytes if run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zsad import __version__
from zsad.evaluation.provenance import versions
from zsad.files import write_whole
from zsad.language.bench import vane
from zsad.language.bench.items import Answer, Findings, Verdict
from zsad.language.bench.settings import Options, prompts_of
from zsad.language.cache import Stored
from zsad.outputs import begins, check_output, is_figures, is_page
from zsad.outside import html, printable

FORMAT = 1
RESULTS, ANSWERS, PAGE = "results.json", "answers.jsonl", "index.html"
ROW = b'{"id": "'
"""How a line of answers begins."""
_SHOWN, _LONGEST, _REMEDY = 300, 600, "choose another --out"


def check_places(out: Path) -> None:
    """Refuse a folder where other files lie in the way.

    Raises:
        OccupiedError: a file that zsad did not write.
    """
    check_output(out / RESULTS, is_figures, _REMEDY)
    check_output(out / ANSWERS, begins(ROW), _REMEDY)
    check_output(out / PAGE, is_page, _REMEDY)


def results(options: Options, found: Findings, model: str, judge: str, used: Iterable[Stored]) -> dict[str, Any]:
    """Return what ``results.json`` says; nothing in it tells a first run from a second.

    Args:
        options: of the run.
        found: what it came to.
        model: that answered, ``""`` where answers were read.
        judge: that judged, ``""`` where nobody did.
        used: the replies that it was made of.
    """
    replies = list(used)
    prompts = prompts_of(options.benchmark)
    return {
        "format": FORMAT, "benchmark": options.benchmark.name, "data": printable(options.data.resolve().name),
        "model": model or None, "judge": judge or None, "prompts": f"{prompts.name} {prompts.version}",
        "settings": options.to_dict(),
        "questions": {
            "all": len(found.answers), "measured": sum(answer.measured for answer in found.answers),
            "without_text": sum(answer.measured and not answer.text.strip() for answer in found.answers),
        },
        "figures": [row.to_dict() for row in found.rows],
        "left_out": list(found.left_out), "notes": list(found.notes), **found.facts,
        "replies": {
            "used": len(replies), "tokens": sum(one.prompt_tokens + one.completion_tokens for one in replies),
        },
        "versions": versions(),
    }  # fmt: skip


def write(out: Path, options: Options, found: Findings, said: Mapping[str, Any]) -> None:
    """Write the three files, each whole or not at all.

    Raises:
        OutputError: no space, not allowed, or other files are in the way.
    """
    check_places(out)
    verdicts: dict[str, list[Verdict]] = {}
    for one in found.verdicts:
        verdicts.setdefault(one.question, []).append(one)
    lines = [
        json.dumps(_line(answer, verdicts.get(answer.question.id, []))) for answer in found.answers if answer.measured
    ]
    write_whole(out / ANSWERS, "".join(f"{line}\n" for line in lines).encode())
    write_whole(out / PAGE, page(options, found, said, verdicts).encode())
    write_whole(out / RESULTS, (json.dumps(said, indent=1) + "\n").encode())


def _line(answer: Answer, verdicts: list[Verdict]) -> dict[str, Any]:
    question = answer.question
    found: dict[str, Any] = {
        "id": question.id, "video": question.video, "task": question.task, "output": answer.text,
        "reason": answer.reason, "gold": question.gold,
    }  # fmt: skip
    if verdicts:
        found["judge"] = {one.measure: {"value": one.value, "reason": one.reason} for one in verdicts}
    return found


def page(options: Options, found: Findings, said: Mapping[str, Any], verdicts: Mapping[str, list[Verdict]]) -> str:
    """Return the page: figures by task, what was not measured, and answers beside the right ones."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    import zsad.report

    style = (Path(zsad.report.__file__).with_name("page") / "report.css").read_text("utf-8")
    own = (Path(__file__).with_name("page") / "bench.css").read_text("utf-8")
    pages = Environment(
        loader=PackageLoader("zsad.language.bench", "page"), autoescape=True, undefined=StrictUndefined, finalize=html
    )
    measured = [answer for answer in found.answers if answer.measured]
    shown = [_shown(options, answer, verdicts.get(answer.question.id, [])) for answer in measured[:_SHOWN]]
    tasks = list(dict.fromkeys(row.task for row in found.rows))
    return pages.get_template("bench.html.j2").render(
        version=__version__, css=style + own, said=said, left_out=list(found.left_out), notes=list(found.notes),
        tasks=[{"name": task, "rows": [row_cells(row) for row in found.rows if row.task == task]} for task in tasks],
        answers=shown, more=len(measured) - len(shown), results=RESULTS, lines=ANSWERS,
    )  # fmt: skip


def row_cells(row: Any) -> dict[str, str]:
    """Return a figure as it is shown: to one digit of 100, to two of 5 or 10, to four of 1."""
    if row.value is None:
        value = "-"
    elif row.highest >= 100:
        value = f"{row.value:.1f}"
    else:
        value = f"{row.value:.2f}" if row.highest > 1 else f"{row.value:.4f}"
    return {"metric": row.metric, "value": value, "of": f"{row.highest:g}", "count": f"{row.count:,}",
            "unparsed": f"{row.unparsed:,}" if row.unparsed else "", "note": row.note}  # fmt: skip


def _shown(options: Options, answer: Answer, verdicts: list[Verdict]) -> dict[str, Any]:
    question = answer.question
    found: dict[str, Any] = {
        "id": question.id, "task": question.task, "question": _cut(question.text), "gold": _cut(question.gold),
        "answer": _cut(answer.text) or f"({answer.reason})", "right": None, "read": "",
        "judge": ", ".join(f"{one.measure} {_mark(one)}" for one in verdicts),
    }  # fmt: skip
    if options.benchmark.name == "vane":
        found["read"], found["right"] = vane.verdict(answer)
    return found


def _mark(verdict: Verdict) -> str:
    return f"({verdict.reason})" if verdict.value is None else f"{verdict.value:g}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} [cut]"
