"""`zsad eval`, `zsad data` and `zsad bench` from a user's side, with a detector that needs no network."""

import json

import pytest
import typer
from typer.testing import CliRunner

import zsad
from tests.fakes import BrightDetector, write_class
from zsad.cli import bench, data, eval, figures
from zsad.errors import ConfigError, DatasetError, UsageError
from zsad.evaluation import METRICS

runner = CliRunner()


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    app.command("other")(lambda: None)
    return runner.invoke(app, [command.__name__.replace("_", "-"), *map(str, arguments)])


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.setattr(zsad, "load", lambda *a, **k: BrightDetector(), raising=False)
    write_class(tmp_path / "parts" / "nut", seed=1)
    write_class(tmp_path / "parts" / "bolt", seed=2)
    return tmp_path / "parts"


def test_eval_prints_a_table_and_writes_json(parts, tmp_path):
    out = tmp_path / "deep" / "figures.json"
    done = run(eval.eval, "--data", f"mvtec:{parts}", "--json", out, "--bootstrap", 10)
    assert done.exit_code == 0, done.output
    for word in ("parts", "nut", "bolt", "mean", "PRO200"):
        assert word in done.stdout
    found = json.loads(out.read_text())
    assert set(found) == {"datasets", "run"}
    assert set(found["datasets"]["parts"]["classes"]) == {"nut", "bolt"}
    assert all(0 <= found["datasets"]["parts"]["mean"][name] <= 1 for name in METRICS)
    assert found["run"]["resolution"] == "model" and len(found["run"]["card_sha256"]) == 64
    assert found["run"]["data"]["parts"]["layout"] == "mvtec"


def test_eval_says_what_thresholds_reject_and_miss(parts, tmp_path):
    path, out = tmp_path / "t.json", tmp_path / "f.json"
    path.write_text('{"image": 0.9, "rule": "score"}')
    done = run(eval.eval, "--data", f"mvtec:{parts}", "--thresholds", path, "--json", out)
    assert done.exit_code == 0, done.output
    assert f"anomalous by rule score: score from 0.9 (from {path})" in done.stdout
    assert "nut: 0 of 3 good images rejected, 0 of 3 anomalous ones missed" in done.stdout
    assert json.loads(out.read_text())["datasets"]["parts"]["classes"]["nut"]["verdicts"] == {
        "rejected": 0,
        "missed": 0,
    }
    strict = run(eval.eval, "--data", f"mvtec:{parts}", "--thresholds", path, "--threshold", "0")
    assert "nut: 3 of 3 good images rejected" in strict.stdout and "; threshold 0)" in strict.stdout
    assert "rejected" not in run(eval.eval, "--data", f"mvtec:{parts}").stdout
    with pytest.raises(UsageError, match="--rule region needs a pixel threshold"):
        run_raising("--data", f"mvtec:{parts}", "--rule", "region")


def run_raising(*arguments):
    result = run(eval.eval, *arguments)
    if result.exception:
        raise result.exception


def test_eval_json_to_standard_output(parts):
    done = run(eval.eval, "--data", f"a=mvtec:{parts}", "--data", f"b=mvtec:{parts}/nut", "--json", "-")
    assert list(json.loads(done.stdout)["datasets"]) == ["a", "b"]


def test_eval_names_what_it_could_not_measure(parts):
    (parts / "nut" / "test" / "good" / "000.png").write_bytes(b"")
    done = run(eval.eval, "--data", f"mvtec:{parts}")
    assert done.exit_code == 1
    assert "good/000.png: empty file" in done.stderr
    assert "1 problems" in done.stderr


def test_eval_refuses_incomplete_data_unless_told(parts):
    (parts / "nut" / "ground_truth" / "spot" / "000_mask.png").unlink()
    done = run(eval.eval, "--data", f"mvtec:{parts}")
    assert isinstance(done.exception, DatasetError) and "000.png: no mask" in str(done.exception)
    done = run(eval.eval, "--data", f"mvtec:{parts}", "--partial")
    assert done.exit_code == 1 and "000.png: no mask" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "mvtec"],
        ["--data", "nonsense:/tmp"],
        ["--data", "mvtec:/a/x", "--data", "pairs:/b/x"],
        ["--data", "mvtec:/tmp", "--resolution", "large"],
    ],
)
def test_eval_wrong_usage(parts, arguments):
    assert isinstance(run(eval.eval, *arguments).exception, UsageError)


def test_gap_to_published_numbers(parts):
    from zsad.suites.reference import baseline

    done = run(eval.eval, "--data", f"mvtec-ad:{parts}", "--partial")
    assert "AnomalyCLIP" in done.stdout and f"{100 * baseline('mvtec-ad')['image_auroc']:.1f}" in done.stdout
    assert "gap" in done.stdout
    assert "class 'bottle' is absent" in done.stderr


def test_undefined_and_uncertain_cells():
    from zsad.metrics import Metric

    assert figures.cell(Metric(float("nan"), "x")) == "-"
    assert figures.cell(Metric(0.123)) == "12.3"
    assert figures.cell(Metric(0.123, bound=0.002)) == "12.3 ±0.2"


def test_data_list():
    done = run(data.data_list)
    assert done.exit_code == 0 and "mvtec-ad" in done.stdout and "~962 + 1200" in done.stdout
    done = run(data.data_list, "ksdd")
    assert "electrical commutators" in done.stdout and "unverified" in done.stdout
    rows = json.loads(run(data.data_list, "--json").stdout)
    assert len(rows) == 24 and sum(row["suite"] for row in rows) == 17
    for row in rows:
        assert row["licence"] and row["where"] and row["split"] and row["metrics"] and row["classes"]
    assert isinstance(run(data.data_list, "mvtec").exception, UsageError)


def test_data_check(tmp_path):
    write_class(tmp_path / "nut")
    done = run(data.data_check, "mvtec-ad", tmp_path)
    assert done.exit_code == 1
    assert "class 'bottle' is absent" in done.stdout and "not one of the published" in done.stdout
    facts = json.loads(run(data.data_check, "mvtec-ad", tmp_path, "--json").stdout)
    assert facts["classes"]["nut"] == {"normal": 3, "anomalous": 3, "masks": 3} and not facts["complete"]


def test_data_check_whole(tmp_path):
    from tests.data.original_forms import WRITERS

    WRITERS["br35h"](tmp_path)
    done = run(data.data_check, "br35h", tmp_path, "--decode")
    assert done.exit_code == 0 and "nothing is wrong, see the note" in done.stdout and "pred" in done.stdout


SUITE = """
name: toy
title: Toy suite
runs:
  - {name: one, entries: [{key: parts, layout: mvtec, path: parts}]}
"""


def test_bench_quality_and_merge(parts, tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE)
    options = ("--data-root", tmp_path)
    done = run(bench.bench_quality, tmp_path / "suite.yaml", "--out", tmp_path / "whole", *options)
    assert done.exit_code == 0, done.output
    assert "Toy suite" in (tmp_path / "whole" / "report.html").read_text()
    assert "| parts | 12 |" in (tmp_path / "whole" / "README.md").read_text()
    again = run(bench.bench_quality, tmp_path / "suite.yaml", "--out", tmp_path / "whole", *options)
    assert again.exit_code == 0 and again.stderr.count("done already") == 2
    for i in (1, 2):
        shard = run(
            bench.bench_quality, tmp_path / "suite.yaml", "--out", tmp_path / f"s{i}", "--shard", f"{i}/2", *options
        )
        assert (
            shard.exit_code == 0 and "no dataset" not in shard.stderr and not (tmp_path / f"s{i}" / "one.json").exists()
        )
    half = run(bench.bench_merge, tmp_path / "merged", tmp_path / "s1")
    assert half.exit_code == 1 and "is not measured yet" in half.stderr
    whole = run(bench.bench_merge, tmp_path / "merged", tmp_path / "s1", tmp_path / "s2")
    assert whole.exit_code == 0, whole.output
    a, b = (json.loads((tmp_path / name / "one.json").read_text())["datasets"] for name in ("whole", "merged"))
    assert a["parts"]["mean"] == b["parts"]["mean"]


def test_bench_quality_names_what_it_did_not_find(parts, tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE.replace("path: parts", "path: elsewhere"))
    done = run(bench.bench_quality, tmp_path / "suite.yaml", "--out", tmp_path / "o", "--data-root", tmp_path)
    assert done.exit_code == 1 and "parts was not found" in done.stderr
    assert "--data-root DIR or --data KEY=LAYOUT:PATH says where they are" in done.stderr
    assert isinstance(run(bench.bench_quality, tmp_path / "no.yaml").exception, ConfigError)


def test_bench_speed(parts):
    done = run(bench.bench_speed, "--size", "64x48", "--batch", "2", "--calls", "3", "--json", "-")
    found = json.loads(done.stdout)
    assert found["speed"]["throughput"]["2"] > 0 and found["machine"]["cores"]
    done = run(bench.bench_speed, "--size", "64x48", "--calls", "3")
    assert "image to regions" in done.stdout and "throughput" in done.stdout and "memory" in done.stdout
    assert isinstance(run(bench.bench_speed, "--size", "big").exception, UsageError)
