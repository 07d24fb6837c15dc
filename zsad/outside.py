r"""The door for text from outside: names, cards, prompts, labels, messages of libraries, before anything shows them.

A terminal obeys control characters, an editor obeys the marks that turn the direction of writing, Markdown and HTML
obey their own signs. Whatever zsad shows passes one of these functions, which leave nothing to obey.

>>> terminal("good\x1b[31m\nred"), markdown("[a](b) | <c>")
('good\\x1b[31m\\nred', '\\[a\\](b) \\| &lt;c&gt;')
"""

from __future__ import annotations

from typing import Any

LONGEST = 1000
"""Characters of one line that is shown, at most; a longer one loses its middle."""

_SIGNS = r"\`*_{}[]|~$#!"
_MARKDOWN = {ord(sign): "\\" + sign for sign in _SIGNS} | {
    ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("@"): "&#64;",
    # A colon makes a bare address a link, a full stop after www too.
}  # fmt: skip
_SCHEMES = (("://", "&#58;//"), ("www.", "www&#46;"), ("WWW.", "WWW&#46;"))
_WORST_MARKS = 4
"""Marks above and below one letter, at most: no script needs more, and piles of them cover the lines around."""


def printable(name: object) -> str:
    r"""Return text as one line of printable characters, whatever bytes it is made of.

    Control characters, line breaks, marks of direction, private characters, blanks other than the ordinary one
    and bytes that are not UTF-8 (surrogates) become escapes.

    >>> printable("two\nlines \udcff")
    'two\\nlines \\udcff'
    """
    text = str(name)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(text))


def terminal(text: object, longest: int = LONGEST) -> str:
    r"""Return text as one printable line of at most ``longest`` characters; a long one loses its middle.

    >>> terminal("a" * 100, 20)
    'aaaaaaa ... aaaaaaaa'
    """
    # No more is looked at than can be shown: a message may carry megabytes.
    raw = str(text)
    if len(raw) > 2 * longest:
        raw = raw[:longest] + "\x00" + raw[-longest:]
    line = printable(raw)
    if len(line) <= longest and len(raw) <= longest:
        return line
    head = (longest - 5) // 2
    return f"{line[:head]} ... {line[len(line) - (longest - 5 - head) :]}"


def markdown(text: object, longest: int = LONGEST) -> str:
    r"""Return text for a line of Markdown, its beginning too, in which nothing is markup, HTML or a link.

    >>> markdown("x|y\n# http://a.b"), markdown("1. x")
    ('x\\|y\\\\n\\# http&#58;//a.b', '1\\. x')
    """
    line = cell(text, longest)
    if line[:1] and line[0] in "+-=":  # a list, a rule, a heading
        return "\\" + line
    digits = len(line) - len(line.lstrip("0123456789"))
    numbered = digits and line[digits : digits + 1] in (".", ")") and line[digits + 1 : digits + 2] in ("", " ")
    return f"{line[:digits]}\\{line[digits:]}" if numbered else line


def cell(text: object, longest: int = LONGEST) -> str:
    r"""Return text for the cell of a Markdown table, or for the midst of a line; see :func:`markdown`.

    >>> cell("- a|b")
    '- a\\|b'
    """
    line = terminal(text, longest).strip().translate(_MARKDOWN)
    for plain, entity in _SCHEMES:
        line = line.replace(plain, entity)
    return line


def html(value: Any) -> Any:
    r"""Return a value whose texts, at any depth, are printable; the page's own escaping does the rest.

    >>> html({"name": "a<b" + chr(7), "count": 3})
    {'name': 'a<b\\x07', 'count': 3}
    """
    if isinstance(value, str):
        return value if hasattr(value, "__html__") else printable(value)  # what a template made itself
    if isinstance(value, dict):
        return {html(key): html(item) for key, item in value.items()}
    return [html(item) for item in value] if isinstance(value, list | tuple) else value


def shown(value: object, longest: int = 60) -> str:
    r"""Return a value for a message: short, one line, and without working out what a huge number looks like.

    >>> shown("a" * 100, 20), shown(10**5000), shown({"a": 1}), shown("\x1b[31m")
    ("'aaaaaaaaaaaaaaa...'", 'a number of about 5001 digits', 'a mapping of 1 entry', "'\\x1b[31m'")
    """
    if isinstance(value, bool | float) or value is None:
        return repr(value)
    if isinstance(value, int):
        bits = value.bit_length()
        return repr(value) if bits <= 128 else f"a number of about {int(bits * 0.30103) + 1} digits"
    if isinstance(value, str):
        return repr(value) if len(repr(value[: longest + 1])) <= longest else _cut(repr(value[:longest]), longest)
    for kind, name in ((dict, "mapping"), (list, "list"), (tuple, "list")):
        if isinstance(value, kind):
            return f"a {name} of {len(value)} {'entry' if len(value) == 1 else 'entries'}"
    return type(value).__name__


def _cut(text: str, longest: int) -> str:
    return f"{text[: longest - 4]}...{text[0]}"


def _visible(text: str) -> list[str]:
    import unicodedata

    out, marks = [], 0
    for sign in text:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        plain = sign.isprintable() and marks <= _WORST_MARKS
        out.append(sign if plain else sign.encode("unicode_escape").decode("ascii"))
    return out
