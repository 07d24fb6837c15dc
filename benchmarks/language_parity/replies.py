"""Parsers of replies against the rows of a set that have a ``right`` value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.language_parity.fixtures import Checks, Fixtures, same
from zsad.language import parse
from zsad.language.parse import Parsed

Row = dict[str, Any]


def rows(where: str, quantity: str, data: Sequence[Row], read: Callable[[Row], Parsed[Any]]) -> Checks:
    """Yield the values and the reasons of one parser."""
    found = [read(row) for row in data]
    yield same(where, f"{quantity}: values", [one.value for one in found], [row["right"] for row in data])
    yield same(where, f"{quantity}: reasons", [one.reason for one in found], [row["reason"] for row in data])


def lavad(files: Fixtures) -> Checks:
    data = files.json("lavad")
    yield from rows("lavad", "score replies", data["score_parse"], lambda row: parse.bracket_score(row["reply"]))
    yield same(
        "lavad",
        "last line",
        [parse.last_line(row["reply"]).value or "" for row in data["last_line"]],
        [row["right"] for row in data["last_line"]],
    )


def vera(files: Fixtures) -> Checks:
    data = files.json("vera_loop")
    most = data["toy"]["config"]["max_questions"]
    yield from rows("vera", "learner replies", data["learner_parse"], lambda row: parse.learner_output(row["reply"]))
    yield from rows(
        "vera", "optimiser replies", data["optimizer_parse"], lambda row: parse.guiding_questions(row["reply"], most)
    )


def holmes(files: Fixtures) -> Checks:
    yield from rows(
        "holmes", "judgements", files.json("holmes")["judgement"], lambda row: parse.judgement(row["reply"])
    )


def vadllama(files: Fixtures) -> Checks:
    data = files.json("vadllama")["answers"]
    yield same("vadllama", "answers", [_answer(row["reply"]) for row in data], [row["right"] for row in data])


def _answer(reply: str) -> Row:
    found = parse.answer(reply)
    value = found.value or parse.Answer(False)
    anomaly = value.anomaly if found.value else None
    return {"anomaly": anomaly, "classes": value.classes, "spans": value.spans, "reason": found.reason}


def hawk(files: Fixtures) -> Checks:
    yield from rows("hawk", "judge replies", files.json("hawk")["judge"], lambda row: parse.judge_score(row["reply"]))


def cuva(files: Fixtures) -> Checks:
    data = files.json("cuva")
    yield from rows("cuva", "detection", data["detection"], lambda row: parse.detection(row["reply"]))
    yield from rows("cuva", "classification", data["classification"], lambda row: parse.category(row["reply"]))
    yield from rows(
        "cuva", "time spans", data["timestamp"], lambda row: parse.time_spans(row["reply"], row["duration"])
    )
    marks = [_marks(row) for row in data["mmeval"]]
    yield same("cuva", "judge's marks", marks, [row["right"] for row in data["mmeval"]])
    cells = data["annotation_cells"]
    moments, types, sentences = cells["moments"], cells["types"], cells["key_sentences"]
    yield same("cuva", "moments", [parse.moment_cells(r["cell"]) for r in moments], [r["seconds"] for r in moments])
    yield same("cuva", "types", [parse.type_cells(r["cell"]) for r in types], [r["right"] for r in types])
    yield same(
        "cuva", "key sentences", [parse.key_sentences(r["cell"]) for r in sentences], [r["right"] for r in sentences]
    )


def _marks(row: Row) -> Row:
    found = parse.marks(row["reply"], row["task"])
    value = found.value or parse.Marks(None, None)
    return {"score": value.score, "stated": value.stated, "criteria": value.criteria, "reason": found.reason}


def ecva(files: Fixtures) -> Checks:
    data = files.json("ecva")
    agents = data["agents"]
    wide = [parse.agent_score(row["reply"], 5) for row in agents]
    narrow = [parse.agent_score(row["reply"], 1) for row in agents]
    yield same("ecva", "agents 0 to 5", [one.value for one in wide], [row["right_0_to_5"] for row in agents])
    yield same("ecva", "agents 0 or 1", [one.value for one in narrow], [row["right_0_or_1"] for row in agents])
    yield same("ecva", "agents: reasons", [one.reason for one in wide], [row["reason"] for row in agents])
    yield from rows("ecva", "key information", data["key_information"], lambda row: parse.key_information(row["reply"]))
    yield from rows("ecva", "ranking", data["key_clip_ranking"], lambda row: parse.ranking(row["reply"]))


def vane(files: Fixtures) -> Checks:
    data = files.json("vane")
    offered = data.get("options_text") or parse.options_of(data["question"])
    found = [parse.letter(row["reply"], offered) for row in data["replies"]]
    right = [row["right"] for row in data["replies"]]
    yield same("vane", "letters", [one.value for one in found], [row["letter"] for row in right])
    yield same("vane", "letters: reasons", [one.reason for one in found], [row["reason"] for row in right])
    options = data["options"]
    letters = [parse.letters_of(row["question"]) for row in options]
    yield same("vane", "offered letters", letters, [row["letters"] for row in options])
    yield same("vane", "question files", [_pairs(row["text"]) for row in data["qa_file"]],
               [row["right"] for row in data["qa_file"]])  # fmt: skip


def _pairs(text: str) -> Any:
    found = parse.qa_pairs(text)
    if found.value is None:
        return f"error: {found.reason}"
    return [{"question": question, "answer": answer} for question, answer in found.value]
