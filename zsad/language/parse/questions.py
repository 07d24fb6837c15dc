"""Lines of replies: the one that is kept of a summary, and lists of questions."""

from __future__ import annotations

import re

from zsad.language.parse.reading import EMPTY, LONGEST, UNPARSED, Parsed, is_empty

_HEADING = re.compile(r"^[\W_]*new\s+(?:prompt\s+|guiding\s+)?questions\b[\W_]*?(?::[\W_]*(.*))?$", re.IGNORECASE)
_ASIDE = re.compile(r"^[\W_]*(reasoning|explanation|notes?)\b[\W_]*:", re.IGNORECASE)
_MARK = re.compile(r"(?:q(?:uestion)?\s*)?\d+\s*[.):]\s*", re.IGNORECASE)
_BEFORE, _AFTER_MARK, _END = ' \t\r>*_#`"[\u2022-', ' \t\r*_`"[', ' \t\r*_`"]'


def last_line(reply: str) -> Parsed[str]:
    r"""Read the last line that is not empty.

    >>> last_line("Summary:\nA man waits.\n\n")
    Parsed(value='A man waits.', reason='ok')
    """
    lines = [stripped for line in reply[:LONGEST].split("\n") if (stripped := line.strip())]
    return Parsed(lines[-1], "ok") if lines else Parsed(None, EMPTY)


def guiding_questions(reply: str, most: int = 5) -> Parsed[list[str]]:
    r"""Read the questions below the last heading "New Prompt Questions".

    Source: VERA (CVPR 2025) asks for this form; the rule is ours, ``language_systems.md`` 3.3.

    >>> guiding_questions("Reasoning:\nfoggy\n**New Prompt Questions:**\n1. **Is it dark?**\n2. *Is it wet?*")
    Parsed(value=['Is it dark?', 'Is it wet?'], reason='ok')
    """
    lines = reply[:LONGEST].split("\n")
    headings = [i for i, line in enumerate(lines) if _HEADING.match(line)]
    if not headings:
        return Parsed(None, "no_heading")
    heading = _HEADING.match(lines[headings[-1]])
    rest = heading[1] if heading and heading[1] else ""
    found: list[str] = []
    for line in [rest, *lines[headings[-1] + 1 :]]:
        if found and (line.lstrip().startswith("```") or _ASIDE.match(line)):
            break
        if (plain := _plain(line)) and not line.lstrip().startswith("```"):
            found.append(plain)
    return _chosen(found, most)


def numbered(reply: str, most: int = 20) -> Parsed[list[str]]:
    r"""Read the lines of a list with numbers or bullets.

    >>> numbered("Here:\n1. What is odd?\n2) Who is there?")
    Parsed(value=['What is odd?', 'Who is there?'], reason='ok')
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    marked = re.compile(r"^\s*(?:[-*\u2022]|(?:q(?:uestion)?\s*)?\d+\s*[.):])\s*\S", re.IGNORECASE)
    found = [plain for line in reply[:LONGEST].split("\n") if marked.match(line) and (plain := _plain(line))]
    if not found:
        return Parsed(None, UNPARSED)
    return Parsed(found[:most], "capped" if len(found) > most else "ok")


def _chosen(found: list[str], most: int) -> Parsed[list[str]]:
    asking = [line for line in found if "?" in line] or found
    distinct = list({line.lower(): line for line in reversed(asking)}.values())[::-1]
    if not distinct:
        return Parsed(None, EMPTY)
    return Parsed(distinct[:most], "capped" if len(distinct) > most else "ok")


def _plain(line: str) -> str:
    """Return a line of a list without its marks."""
    text = line.lstrip(_BEFORE)
    text = _MARK.sub("", text, count=1) if _MARK.match(text) else text
    return text.lstrip(_AFTER_MARK).rstrip(_END)
