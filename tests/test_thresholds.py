from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zsad
from tests.contrast import CARD
from zsad.errors import UsageError
from zsad.thresholds import (
    ThresholdsFile,
    check_judges,
    check_model,
    chosen,
    model_of,
    read_file,
    read_thresholds,
    write_thresholds,
)
from zsad.types import RULES, Look, Result, Thresholds

MAP = np.zeros((10, 10), np.float32)
MAP[2:5, 2:5] = 0.8

LIMITS = st.one_of(st.none(), st.just("never"), st.floats(0, 1, width=32))
GIVEN = st.builds(
    Thresholds,
    LIMITS,
    LIMITS,
    st.one_of(st.none(), st.floats(0, 1)),
    st.one_of(st.none(), st.sampled_from(RULES)),
    st.one_of(st.none(), st.text(max_size=20)),
)


def fires(value: float, limit) -> bool:
    return limit not in (None, "never") and value >= limit


@settings(deadline=None)
@given(GIVEN, st.floats(0, 1))
def test_verdict_law(thresholds, score):
    """Every combination, written out: what is not given, or not looked at, never fires; fired explains the verdict."""
    result = Result(score, MAP, thresholds)
    rule = thresholds.rule or "either"
    given = [thresholds.image is not None and rule != "region", thresholds.pixel is not None and rule != "score"]
    by_score, by_region = fires(score, thresholds.image), thresholds.pixel != "never" and bool(result.regions)
    hits = zip(("score", "region"), given, (by_score, by_region), strict=True)
    expected = [name for name, on, hit in hits if on and hit]
    assert list(result.fired) == expected
    assert result.verdict == (None if not any(given) else "anomalous" if expected else "normal")


@given(GIVEN, GIVEN)
def test_what_is_not_named_stays_law(new, base):
    merged = new.over(base)
    for name in ("image", "pixel", "min_area", "rule"):
        mine = getattr(new, name)
        assert getattr(merged, name) == (getattr(base, name) if mine is None else mine)
    assert Thresholds().over(base) in (base, replace(base, source=None))


def test_the_source_names_what_counts():
    base = Thresholds(0.5, 0.6, source="t.json")
    assert Thresholds(0.7).over(base).source == "t.json; image 0.7"
    assert Thresholds(0.7, 0.8, source="mine").over(base).source == "mine"  # nothing of the file is left
    assert chosen(base, pixel="never").source == "t.json; pixel threshold never"


@pytest.mark.parametrize("name", ["image", "pixel", "min_area"])
@pytest.mark.parametrize(
    "value", [-0.001, 1.0001, float("nan"), float("inf"), -float("inf"), True, "0.5", "Never", [0.5], 10**400]
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(UsageError, match=r"must be a number of 0 to 1") as caught:
        Thresholds(**{name: value})
    assert len(str(caught.value)) < 200


def test_never_is_for_thresholds_and_rules_are_three():
    with pytest.raises(UsageError, match="min_area"):
        Thresholds(min_area="never")  # type: ignore[arg-type]
    for rule in ("both", "", 1):
        with pytest.raises(UsageError, match="rule must be either, score or region"):
            Thresholds(rule=rule)  # type: ignore[arg-type]
    assert Thresholds(np.float32(0.5)).image == 0.5 and type(Thresholds(np.float32(0.5)).image) is float
    assert Thresholds(1, 0) == Thresholds(1.0, 0.0)


@settings(deadline=None)
@given(GIVEN.filter(lambda thresholds: thresholds.judges))
def test_files_come_back_law(tmp_path_factory, thresholds):
    path = tmp_path_factory.mktemp("t") / "t.json"
    written = ThresholdsFile(thresholds, model_of(CARD), 300, 0.01, 0.95, True, look=Look("auto", 12))
    write_thresholds(path, written)
    found = read_file(path)
    values = ("image", "pixel", "min_area", "rule")
    assert all(getattr(found.thresholds, name) == getattr(thresholds, name) for name in values)
    assert found.thresholds.source.startswith(str(path))
    assert found == replace(written, thresholds=found.thresholds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[0.5]", "it must be a mapping"),
        ("null", "it must be a mapping"),
        ("[" * 100_000, "give a flatter one"),
        ("\x00\x01", "not valid JSON"),
        ('{"image": 0.5, "image": 0.6}', "key 'image' is given twice"),
        ('{"image": 0.5, "threshold": 0.6}', "unknown key 'threshold'; it may have bits, confidence, good, guarantee"),
        ('{"image": 1.5}', "image must be a number of 0 to 1, or never, got 1.5"),
        ('{"image": -1}', "image must be"),
        ('{"image": NaN}', "image: nan is no number; give a finite one"),
        ('{"pixel": Infinity}', "pixel: inf is no number; give a finite one"),
        ('{"image": 1e400}', "image: inf is no number"),
        ('{"image": ' + "9" * 4000 + "}", "image: a number of about 4001 digits"),
        ('{"image": ' + "9" * 5000 + "}", "a number of more than 18 digits"),
        ('{"image": "0.5"}', "image must be"),
        ('{"image": true}', "image must be"),
        ('{"image": {"a": "b"}}', "image must be"),
        ('{"image": 0.5, "min_area": "never"}', "min_area must be"),
        ('{"image": 0.5, "min_area": 20}', "min_area must be a number of 0 to 1, a fraction of the image's pixels"),
        ('{"image": 0.5, "rule": "both"}', "rule must be either, score or region, got 'both'"),
        ('{"image": 0.5, "rule": ["score"]}', "rule must be"),
        ('{"image": 0.5, "source": 3}', "source must be text"),
        ('{"image": 0.5, "source": "' + "x" * 400 + '"}', "source must be text of at most 300 characters"),
        ('{"image": 0.5, "model": "tiny"}', "model must be an object with name and fingerprint"),
        ('{"image": 0.5, "tile": "many"}', "tile must be auto or a side in pixels, got 'many'"),
        ('{"image": 0.5, "tile": true}', "tile must be auto or a side in pixels"),
        ('{"image": 0.5, "bits": 7}', "bits must be a whole number of 8 to 16, got 7"),
        ('{"image": 0.5, "n": 0}', "n must be a whole number"),
        ('{"image": 0.5, "n": 2.5}', "n must be a whole number"),
        ('{"image": 0.5, "rate": 2}', "rate must be"),
        ('{"image": 0.5, "guarantee": "yes"}', "guarantee must be true or false"),
        ("{}", "has no threshold that makes a verdict; give image or pixel"),
        ('{"pixel": 0.5, "rule": "score"}', "no threshold that makes a verdict by its rule score"),
        ('{"\\u001b[31m": 1}', "unknown key"),
    ],
)
def test_files_are_read_strictly(tmp_path, text, says):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_thresholds(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and says in message
    assert len(message) < len(str(path)) + 250 and message.isprintable()


def test_unreadable_files(tmp_path):
    (tmp_path / "big.json").write_text('{"image": 0.5}' + " " * (16 << 20))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name, says in (("big.json", "bytes"), ("bytes.json", "not UTF-8"), ("no.json", "no such file")):
        with pytest.raises(UsageError, match=says):
            read_thresholds(tmp_path / name)
    with pytest.raises(UsageError, match="can't be read"):
        read_thresholds(tmp_path)
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"image": 0.5}).encode())
    assert read_thresholds(tmp_path / "bom.json").image == 0.5


def test_thresholds_of_another_model_are_refused(tmp_path):
    path = tmp_path / "t.json"
    write_thresholds(path, ThresholdsFile(Thresholds(0.5), model_of(CARD)))
    assert read_thresholds(path, CARD).image == 0.5
    # The thresholds on a card are not part of what it is; all else is.
    assert read_thresholds(path, CARD.changed(image_threshold=0.9, calibrated=True)).image == 0.5
    with pytest.raises(UsageError, match="measured on another contrast: its prompt or its weights differ"):
        read_thresholds(path, CARD.changed(sigma=1.0))
    with pytest.raises(UsageError, match="measured on model contrast, not other"):
        read_thresholds(path, CARD.changed(name="other"))
    check_model(ThresholdsFile(Thresholds(0.5)), CARD, path)  # a file that does not say is taken


def test_thresholds_of_other_tiles_or_bits_are_refused(tmp_path):
    path = tmp_path / "t.json"
    write_thresholds(path, ThresholdsFile(Thresholds(0.5), look=Look("auto", 12)))
    assert read_thresholds(path, look=Look("auto", 12)).image == chosen(path, look=Look("auto", 12)).image == 0.5
    says = r"t.json: these thresholds were measured with tiles auto at 12 bits, not without tiles at 12 bits; "
    with pytest.raises(UsageError, match=says + "give --tile auto, or measure them anew"):
        chosen(path, look=Look(None, 12))
    with pytest.raises(UsageError, match="give --tile auto and give --bits 12"):
        zsad.load(thresholds=path)
    assert zsad.load(thresholds=path, tile="auto", bits=12).thresholds.image == 0.5
    write_thresholds(path, ThresholdsFile(Thresholds(0.5), look=Look()))
    with pytest.raises(UsageError, match="not with tiles of 64 px at 16 bits; leave --tile out"):
        zsad.load(thresholds=path, tile=64)
    write_thresholds(path, ThresholdsFile(Thresholds(0.5)))  # a file that does not say is taken
    assert read_file(path).look is None and zsad.load(thresholds=path, tile="auto").tile == "auto"


def test_what_asks_for_verdicts_needs_a_threshold():
    check_judges(Thresholds())
    check_judges(Thresholds(0.5), rule="score", fail_on="anomalous")
    for thresholds, rule, fail_on, says in (
        (Thresholds(rule="region"), "region", None, "--rule region needs a pixel threshold: add --pixel-threshold 0.6"),
        (Thresholds(rule="score"), "score", None, "--rule score needs a threshold: add --threshold 0.5"),
        (Thresholds(), None, "anomalous", "--fail-on anomalous needs a threshold"),
        (Thresholds(0.5), None, "normal", "--fail-on is anomalous, not normal"),
    ):
        with pytest.raises(UsageError, match=says):
            check_judges(thresholds, rule=rule, fail_on=fail_on)
