"""Free text of a reply, and the apologies that are none."""

from __future__ import annotations

import re

from zsad.language.parse.reading import EMPTY, LONGEST, Parsed, is_empty

REFUSED = "refusal"
_APOLOGY = re.compile(
    r"^\W*(?:(?:i'?m|i am) (?:very |really |so )?sorry\b|sorry\b|(?:my )?apologies\b|i apologi[sz]e\b|as an ai\b"
    r"|(?:unfortunately,? )?i(?: can'?t| cannot| can not| won'?t|(?: am|'m) (?:unable|not able) to) "
    r"(?:help|assist|comply|answer|discuss|do that|view|watch|access|process|analy[sz]e|provide|fulfil))",
    re.IGNORECASE,
)


def prose(reply: str) -> Parsed[str]:
    r"""Read free text: all of it, stripped; an apology instead of an answer is none.

    >>> prose(" A man runs.\n"), prose("I'm sorry, but I can't help with that.")
    (Parsed(value='A man runs.', reason='text'), Parsed(value=None, reason='refusal'))
    >>> prose("I cannot see anything unusual.").value
    'I cannot see anything unusual.'
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST].strip()
    if _APOLOGY.match(text.replace("\u2019", "'")):
        return Parsed(None, REFUSED)
    return Parsed(text, "text")
