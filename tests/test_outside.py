r"""The door for text from outside: what a terminal, Markdown and HTML can't be made to obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from zsad.outside import html, markdown, printable, shown, terminal

calm = settings(deadline=None, max_examples=60)

NASTY = [
    "\x1b[31mred", "\x1b]8;;http://evil\x07link\x1b]8;;\x07", "\x9b2J", "a\rb", "a\nb", "a\x08b", "\x7f",
    "\u202egnp.exe",
    "\u2066a\u2069", "\u200b", "\u2028", "\u00a0", "\ufeff", "\udcff", "\ue000", "\U000e0041", "\x00", "\t",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_nothing_is_left_for_a_terminal_to_obey(text):
    for door in (printable, terminal, markdown, html, shown):
        shown_text = door(f"a{text}b")
        assert shown_text.isprintable() and not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in shown_text)


@calm
@given(st.text() | st.text(st.characters(categories=("Cc", "Cf", "Cs", "Mn", "Zl", "Zs"))), st.integers(20, 200))
def test_terminal_text_is_one_printable_line_of_bounded_length(text, longest):
    line = terminal(text, longest)
    assert line.isprintable() and len(line) <= longest and line.encode() is not None


@calm
@given(st.text("abc xyz019", max_size=50))
def test_ordinary_text_stays(text):
    assert printable(text) == terminal(text) == html(text) == text


def test_names_in_other_scripts_stay():
    for name in ("Größe", "деталь", "部品", "قطعة", "e\u0301", "\U0001f529"):
        assert printable(name) == name
    assert "\\u0301" in printable("e" + "\u0301" * 50)


def test_a_message_of_megabytes_is_cut_at_once():
    assert len(terminal("\x1b" * 10_000_000)) <= 1000
    assert len(shown("\x1b" * 10_000_000)) <= 60


def test_values_in_messages_are_short():
    for value in (10**5000, -(10**5000), "a" * 10**6, b"a" * 10**6, [1] * 10**6, {"a": 1}, None, 1.5, object()):
        assert len(shown(value)) <= 60 and shown(value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "a|b", "a\nb", "# head", "- item", "+ item", "* item", "1. item", "12) item", "> quote", "<b>x</b>",
        "<!-- x", "&copy;",
        "[a](javascript:b)", "![a](b)", "http://a.b", "www.a.b", "`code`", "**b**", "__b__", "~~s~~", "---", "===",
        "a@b.c",
        "    indented", "[x]: http://a", "$x$", "```", "| a | b |", "\\", "\\|", "ftp://a.b", "HTTPS://a.b",
    ],
)  # fmt: skip
def test_markdown_shows_text_as_it_is(text):
    """A reader of Markdown, an independent one, renders exactly the text: no list, link, heading, code, or HTML."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = parser.parse(markdown(text))
    kinds = [token.type for token in blocks]
    assert kinds == ["paragraph_open", "inline", "paragraph_close"], kinds
    children = blocks[1].children
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == printable(text).strip()


@pytest.mark.parametrize("text", ["a|b", "\\|", "\\", "a\\"])
def test_a_table_cell_stays_one(text):
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(f"| x | y |\n| --- | --- |\n| {markdown(text)} | end |\n")
    cells = [token.content for token in tokens if token.type == "inline"]
    assert len(cells) == 4 and cells[3] == "end"


def test_html_reaches_every_depth():
    assert html({"\x1b": ["\x1b", ("\x07", 3)]}) == {"\\x1b": ["\\x1b", ["\\x07", 3]]}
