"""The door for documents from outside: what is read, what is refused, and how short the refusal is."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.card import ModelCard
from zsad.config import from_yaml, knob
from zsad.documents import LARGE, Entries, Limits, parse_json, parse_yaml, read_bytes, read_json, read_yaml
from zsad.errors import CardError, ConfigError, DatasetError, PromptError
from zsad.prompt.bank import PromptBank, load_bank

calm = settings(deadline=None, max_examples=60)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | FINITE | TEXTS
DOCUMENTS = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4), max_leaves=20
)


@calm
@given(DOCUMENTS)
def test_json_is_what_the_standard_library_reads(value):
    assert parse_json(json.dumps(value), "x") == json.loads(json.dumps(value)) == value


@calm
@given(st.recursive(SCALARS.filter(lambda value: not isinstance(value, str) or max(value, default="") < "\U00010000"),
                    lambda below: st.lists(below, max_size=4)))  # fmt: skip
def test_json_is_read_as_yaml_too(value):
    assert parse_yaml(json.dumps(value), "x") == value  # but for pairs of surrogates, which YAML does not join


PLAIN = st.integers(-99, 99) | st.booleans() | st.none() | st.sampled_from(["a b", "it's", "x: y", "-"])


@calm
@given(st.recursive(PLAIN, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below)))
def test_yaml_of_pyyaml_is_read_back(value):
    assert parse_yaml(yaml.safe_dump(value), "x") == yaml.safe_load(yaml.safe_dump(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1e21", 1e21), ("+5", 5), ("-0.5", -0.5), (".5", 0.5), ("010", "010"), ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"), ("2024-01-01", "2024-01-01"), ("yes", True), ("No", False), ("'no'", "no"), ("~", None),
        ("", None),
        ("=", "="), ("<<: 1", {"<<": 1}), ("1: 2", {"1": 2}), ("\ufeffa: b", {"a": "b"}), ("a: |\n  1", {"a": "1"}),
    ],
)  # fmt: skip
def test_plain_scalars(text, value):
    read = parse_yaml(text, "x")
    assert read == value and type(read) is type(value)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD_YAML = {
    "aliases": BOMB,
    "alias of itself": "a: &a [*a]",
    "merge": "a: &a {b: 1}\nc:\n  <<: *a",
    "python tag": "!!python/object/apply:os.system ['echo no']",
    "number tag": "a: !!int x",
    "own tag": "a: !x y",
    "binary tag": "a: !!binary abc",
    "nonspecific tag": "a: ! b",
    "twice": "a: 1\na: 2",
    "twice in flow": "{a: 1, 'a': 2}",
    "deep": "[" * 5000,
    "deep and closed": "[" * 100 + "]" * 100,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(300)),
    "endless": "a: .inf",
    "no number": "a: .nan",
    "overflow": "a: 1e999",
    "digits": "a: " + "9" * 5000,
    "digits of a key's value": "a: 1" + "0" * 400,
    "two documents": "a: 1\n---\nb: 2",
    "list as a key": "? [a]\n: b",
    "control": "a: \x07",
    "unclosed": "a: [",
    "tab": "a:\n\t- b",
    "unknown directive": "%YAML 9.9\n--- a",
    "a million": "- a\n" * 200_000,
    "long": "a" * 2_000_000,
    "long tag": "!" + "x" * 100_000 + " a",
    "long alias": "*" + "x" * 100_000,
    "long key twice": ("k" * 50_000 + ": 1\n") * 2,
}
BAD_JSON = {
    "deep": "[" * 100_000,
    "deep and closed": "[" * 500 + "]" * 500,
    "twice": '{"a": 1, "a": 2}',
    "nan": '{"a": NaN}',
    "inf": '[-Infinity]',
    "overflow": "[1e400]",
    "digits": "[" + "1" * 5000 + "]",
    "400 digits": '{"sigma": 1' + "0" * 400 + "}",
    "surrogate": '["\\ud800"]',
    "half": '{"a": ',
    "control": '["\x00"]',
    "long": '"' + "a" * 2_000_000 + '"',
    "many": "[" + "1," * 200_000 + "1]",
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_YAML)
def test_bad_yaml_is_one_short_line_and_soon(name):
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse_yaml(BAD_YAML[name], "some.yaml")
    assert time.process_time() - start < 10
    check_message(str(caught.value), "some.yaml")


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_one_short_line(name):
    with pytest.raises(DatasetError) as caught:
        parse_json(BAD_JSON[name], "some.json", DatasetError)
    check_message(str(caught.value), "some.json")


def check_message(message: str, name: str) -> None:
    assert message.startswith(name + ": ") and len(message) <= 300 and message.isprintable(), message


@calm
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for parse in (parse_json, parse_yaml):
        try:
            value = parse(data, "x")
        except ConfigError as error:
            check_message(str(error), "x")
        else:
            assert isinstance(value, dict | list | str | int | float | None)


@calm
@given(st.text("ab01.:-[]{},&*!|>'\"\n %#?eE+_~", max_size=60))
def test_any_text_is_read_as_yaml_or_refused(text):
    try:
        parse_yaml(text, "x")
    except ConfigError as error:
        check_message(str(error), "x")


def test_refusals_name_the_key():
    with pytest.raises(ConfigError, match=r"^x: a\.b\.1: inf is no number"):
        parse_yaml("a: {b: [1, .inf]}", "x")
    with pytest.raises(CardError, match=r"scoring\.sigma: a number of about 401 digits"):
        ModelCard.from_json('{"format": 2, "scoring": {"sigma": 1' + "0" * 400 + "}}", "m.onnx")


def test_files(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "a.json") == [1]
    (tmp_path / "b.yaml").write_bytes(b"a: \xff")
    (tmp_path / "c.yaml").write_text("a: b\n", encoding="utf-16")
    for path in (tmp_path, tmp_path / "b.yaml", tmp_path / "c.yaml", tmp_path / "none", tmp_path / ("x" * 300), "a\0b"):
        for read in (read_json, read_yaml):
            with pytest.raises(PromptError) as caught:
                read(path, PromptError)
            assert "\n" not in str(caught.value)


def test_no_more_is_read_than_the_limit_says(tmp_path):
    with pytest.raises(ConfigError, match="longer than 1,000 bytes"):
        read_bytes("/dev/zero", limits=Limits(size=1000))


def test_large_limits_take_what_small_ones_do_not():
    text = json.dumps(list(range(200_000)))
    assert len(parse_json(text, "x", limits=LARGE)) == 200_000


@pytest.mark.parametrize("value", [10**400, -(10**30), math.inf, math.nan, True, "1", None, [1]])
def test_entries_refuse_what_is_no_number_in_range(value):
    entries = Entries({"a": value}, "x.json")
    for read in (lambda: entries.number("a", 0, 10), lambda: entries.whole("a", 0, 10)):
        with pytest.raises(ConfigError, match=r"^x.json: a is .*, it must be a (whole )?number of 0 to 10$"):
            read()


def test_entries_read_by_key():
    entries = Entries.of({"n": 2, "x": 0.5, "t": "a", "f": True, "l": [1], "m": {"k": 1}}, "x", DatasetError)
    assert (entries.whole("n"), entries.number("x"), entries.number("n"), entries.text("t")) == (2, 0.5, 2.0, "a")
    assert entries.flag("f") and entries.items("l") == [1] and entries.entries("m").whole("k") == 1
    assert entries.whole("absent", default=3) == 3 and entries.only("n", "x", "t", "f", "l", "m") is entries
    for read in (lambda: entries.text("n"), lambda: entries.flag("n"), lambda: entries.items("m"),
                 lambda: entries.entries("l"), lambda: entries.whole("absent"), lambda: entries.only("n"),
                 lambda: Entries.of([], "x", DatasetError)):  # fmt: skip
        with pytest.raises(DatasetError, match=r"^x: "):
            read()


@dataclass(frozen=True)
class Knobs:
    lr: float = knob(0.1, "step", low=0)
    steps: int = knob(1, "steps")
    names: tuple[str, ...] = ()


@pytest.mark.parametrize("text", ["lr: .inf", "lr: .nan", "lr: 1e21", "steps: 1e21", "steps: 1000000000000000000000",
                                  "steps: 5000000000", "names: " + "9" * 900, "lr: [" + "a," * 5000 + "]",
                                  "k" * 5000 + ": 1", "steps: {" + "a: {" * 10 + "}" * 11])  # fmt: skip
def test_config_refuses_what_is_out_of_bounds(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        from_yaml(Knobs, tmp_path / "c.yaml")
    check_message(str(caught.value).replace(str(tmp_path) + "/", ""), "c.yaml")


def test_exponents_are_numbers(tmp_path):
    (tmp_path / "c.yaml").write_text("lr: 1e-3")
    assert from_yaml(Knobs, tmp_path / "c.yaml").lr == 0.001


def test_a_bank_has_a_bounded_number_of_sentences(tmp_path):
    many = tuple(f"{{}} {i}" for i in range(1000))
    with pytest.raises(PromptError, match="1,000,000 sentences"):
        PromptBank("part", ("{}",), many, many)
    with pytest.raises(PromptError, match="more than 1000 characters"):
        PromptBank("part", ("{}" + "a" * 2000,), ("bad {}",), ("{}",))
    text = "kind: bank\nnoun: part\nnormal: &n ['{}']\nanomalous: ['b{}']\ntemplates: *n\n"
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(PromptError, match=r"line 5: aliases \(\*n\)"):
        load_bank(str(tmp_path / "b.yaml"))
