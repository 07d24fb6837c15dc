"""What torch can store but not turn into weights is refused by the tensor's name."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from zsad.backbone.state_dict import read_tensors, tensor_problem  # noqa: E402
from zsad.errors import ModelError, PromptError  # noqa: E402
from zsad.prompt.published import convert  # noqa: E402


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: x.to("meta"), "no values"),
        (lambda x: x.to(torch.complex64), "complex"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "quantised"),
        (lambda x: x[:1, :1].expand(10**6, 10**6), "more values than are stored"),
    ],
)
def test_odd_tensors_are_refused_by_name(tmp_path, make, words):
    odd = make(torch.rand(4, 6))
    assert words in tensor_problem(odd) and tensor_problem(torch.rand(2).bfloat16()) == ""
    torch.save({"x": odd}, tmp_path / "w.pth")
    with pytest.raises(ModelError) as caught:
        read_tensors(tmp_path / "w.pth")
    assert "'x'" in str(caught.value) and words in str(caught.value)
    torch.save({"prompt_learner": {"ctx_pos": odd, "ctx_neg": torch.rand(4, 6)}}, tmp_path / "p.pth")
    with pytest.raises(PromptError, match=f"'ctx_pos' .*{words}"):
        convert(tmp_path / "p.pth")


def test_bfloat16_is_taken(tmp_path):
    torch.save({"x": torch.rand(2, 2).bfloat16()}, tmp_path / "w.pth")
    assert read_tensors(tmp_path / "w.pth")["x"].dtype == torch.bfloat16
