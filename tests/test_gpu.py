"""The parts of ``benchmarks/gpu.py`` in their small form on the CPU, and how it goes on after a failure."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import gpu, gpu_parts
from zsad.backbone import load_backbone


def test_parity_of_the_cpu_with_itself_is_exact_and_bfloat16_is_near():
    found = gpu_parts.parity_vit("cpu", small=True)
    assert "failed" not in found and found["map_range"] > 0.01
    assert found["float32"] == found["float32_without_tf32"] == {"map": 0.0, "score": 0.0}
    assert 0 < found["bfloat16"]["map"] < gpu_parts.ALLOWED["bfloat16"]


def test_the_bundled_model_runs_through_torch():
    found = gpu_parts.parity_bundled("cpu", small=True)
    assert "failed" not in found and found["map_range"] > 0.01


def test_speed_gives_a_share_for_each_batch():
    found = gpu_parts.speed("float32", "cpu", small=True)
    assert list(found["batch"]) == ["1", "8", "32"]
    for figures in found["batch"].values():
        expected = figures["images_per_s"] * found["teraflop_per_image"] / found["matmul_tflops"]
        assert figures["share_of_matmul"] == pytest.approx(expected) and expected > 0


def test_operations_are_those_of_the_counted_products(tmp_path):
    """Against torch's own counter on the tower, which runs the same products."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    tower = load_backbone(gpu_parts.model_id(True, tmp_path), image_size=56)
    # The counter sees the products of attention only where they are written out.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        tower(torch.zeros(1, 3, 56, 56))
    assert gpu_parts.operations(tower) == pytest.approx(counter.get_total_flops() / 1e12, rel=0.02)


def test_one_step_of_training_is_compared():
    found = gpu_parts.train("cpu", small=True)
    assert "failed" not in found and found["largest_relative_loss_difference"] == 0
    assert len(found["losses_cpu"]) == 3 and found["losses_cpu"][2] < found["losses_cpu"][0]


def test_too_large_a_difference_is_a_failure():
    near = {"float32": {"map": 1e-3, "score": 0.0}, "bfloat16": {"map": 0.01, "score": 0.01}}
    assert gpu_parts._judged(near) == {}
    far = near | {"float32": {"map": float("nan"), "score": 0.1}}
    assert gpu_parts._judged(far)["failed"] == "float32 map nan, at most 0.002; float32 score 0.1, at most 0.002"


def test_a_failing_part_is_told_and_the_others_go_on(tmp_path, capsys, monkeypatch):
    out = tmp_path / "gpu.json"
    monkeypatch.setitem(gpu.LIMITS, "parity_vit", 0.05)
    monkeypatch.setitem(gpu.LIMITS, "export", 400)  # a busy machine
    arguments = ["--device", "cpu", "--small", "--only", "parity_vit", "export", "--json", str(out)]
    assert gpu.main(arguments) == 1
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["parts"]["parity_vit"]["failed"] == "took more than 0 s"
    export = report["parts"]["export"]
    assert "failed" not in export and export["exported"]["map"] == export["bundled"]["map"] == 0
    assert torch.__version__.startswith(report["facts"]["versions"]["torch"])
    assert "parity_vit: took more than 0 s" in capsys.readouterr().out


def test_time_that_is_over_begins_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "facts", lambda device: {})
    out = tmp_path / "gpu.json"
    arguments = ["--device", "cpu", "--small", "--only", "train", "--limit", "0", "--json", str(out)]
    assert gpu.main(arguments) == 1
    assert "not begun" in json.loads(out.read_text(encoding="utf-8"))["parts"]["train"]["failed"]


def test_the_limits_fit_into_eight_minutes():
    assert sum(gpu.LIMITS.values()) <= 480
    assert set(gpu.LIMITS) == gpu_parts.PARTS.keys() - {"facts"}
