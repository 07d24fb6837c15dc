"""A batch, or a stream, against itself, as programs and persons ask for it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import zsad
from tests.cli.test_commands import invoke
from tests.fitting.pictures import folder, part
from zsad.errors import InputError, TextlessError, UsageError
from zsad.fitting import mutual as room
from zsad.fitting.mutual import mutual_detector, ring_detector
from zsad.stream import find_images, from_iterable, read_rows


@pytest.fixture
def batch(tmp_path):
    place = folder(tmp_path / "batch", 7)
    folder(place, 1, first=80, spot=True, name="odd")
    return place


def test_the_odd_one_of_a_batch_stands_out(batch, tmp_path):
    done = invoke("detect", str(batch), "--mutual", "--json", "-", "--csv", str(tmp_path / "t.csv"))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 8 and all(row["mutual"] is True for row in rows)
    assert max(rows, key=lambda row: row["score"])["file"].endswith("odd080.png")
    with (tmp_path / "t.csv").open(newline="") as file:
        assert {line["mutual"] for line in csv.DictReader(file)} == {"mutual"}
    table = invoke("detect", str(batch), "--mutual", "--out", str(tmp_path / "out"))
    assert "utual: scored" in table.stdout
    assert "zsad calibrate" not in table.stdout and "--threshold" in table.stdout  # none fits such scores
    assert all(row.mutual for row in read_rows(tmp_path / "out" / "results.jsonl"))  # as --resume has them
    assert "batch, mutual" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    alone = invoke("detect", str(batch), "--json", "-")
    assert not any(json.loads(line)["mutual"] for line in alone.stdout.splitlines())


def test_a_stream_against_the_last_images(batch):
    done = invoke("detect", str(batch), "--mutual-last", "4", "--json", "-")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0 and len(rows) == 8
    assert max(rows, key=lambda row: row["score"])["file"].endswith("odd080.png")


def test_a_backbone_that_reads_no_words_is_taken_for_its_features(batch, monkeypatch):
    def textless(model, **asked):
        raise TextlessError("dino: has no CLIP text tower")

    asked = []
    monkeypatch.setattr("zsad.cli.options.load", textless)
    monkeypatch.setattr("zsad.detector.loading.load_base", lambda model, **given: asked.append(model) or zsad.load())
    two = [str(batch / f"part00{i}.png") for i in range(2)]
    done = invoke("detect", *two, "--model", "timm:dino", "--mutual", "--json", "-")
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 2 and asked == ["timm:dino"]
    done = invoke("detect", *two, "--model", "timm:dino", "--json", "-")
    assert done.exit_code == 1 and "no CLIP text tower" in done.stderr


def test_a_pool_is_drawn_by_seed_and_bounded(batch, monkeypatch):
    items = find_images([batch])
    detector = zsad.load()
    few = mutual_detector(detector, items, most=3)
    assert few.card.scoring.prompt == "3 other images"
    again, other = mutual_detector(detector, items, most=3), mutual_detector(detector, items, most=3, seed=1)
    picture = part(31)
    assert few(picture).score == again(picture).score != other(picture).score
    monkeypatch.setattr(room, "BUDGET", 4 * 2 * 324 * 128 * 2)
    assert mutual_detector(detector, items).card.scoring.prompt == "4 other images"


def test_what_can_t_be_compared_is_one_line(tmp_path):
    detector = zsad.load()
    with pytest.raises(InputError, match="at least 2 images"):
        mutual_detector(detector, list(from_iterable([part(1)])))
    with pytest.raises(UsageError, match="give at least 2"):
        ring_detector(detector, [], last=1)
    (tmp_path / "torn.png").write_bytes(b"x")
    folder(tmp_path, 3)
    done = invoke("detect", str(tmp_path), "--mutual", "--json", "-")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1 and sum("error" in row for row in rows) == 1 and len(rows) == 4
    for options, why in (
        (["--mutual", "--tile", "64"], "leave --tile out"),
        (["--mutual-last", "3", "--resume"], "--resume"),
        (["--mutual", "--fused"], "leave --fused out"),
    ):
        done = invoke("detect", str(tmp_path), *options, "--json", str(tmp_path / "r.jsonl"))
        assert done.exit_code == 2 and why in done.stderr
    same = np.asarray(part(1))
    with pytest.raises(InputError, match="same picture"):
        mutual_detector(detector, list(from_iterable([same, same.copy()])))
