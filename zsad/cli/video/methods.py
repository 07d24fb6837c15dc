"""Which methods score videos, by name; each is built when it is asked for, and imports what it needs then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsad.errors import UsageError
from zsad.near import near
from zsad.outside import printable

if TYPE_CHECKING:
    from zsad.video.scorer import VideoScorer


@dataclass(frozen=True)
class Choices:
    """What a command line says of its method; a method passes over what has no meaning for it.

    Attributes:
        model: ``--model``: a detector, a bundle, a folder with a trained model; None for the default.
        prompt: words for a detector, as the next one.
        noun: what is inspected.
        device: where models run.
        dtype: in which precision; None for the default.
        stride: every so many frames are looked at; None where nobody said so.
        fps: instead, so many frames a second.
        folder_fps: frames per second of folders of pictures.
        refiners: of ``--refine``; None for the method's own.
        normal: clips without anomalies.
        normal_seconds: seconds without anomalies at the beginning of each video.
        map_score: how a map becomes a score.
        pixel_threshold: map value from which area counts.
        motion_kind: ``flow`` or ``difference``.
        features: folder of features that a learned model scores in place of the videos' frames.
        more: options that one method alone has, name -> text.
    """

    model: str | None = None
    prompt: str | None = None
    noun: str | None = None
    device: str = "cpu"
    dtype: str | None = None
    stride: int | None = None
    fps: float | None = None
    folder_fps: float = 0.0
    refiners: tuple[Any, ...] | None = None
    normal: Sequence[Path] = ()
    normal_seconds: float | None = None
    map_score: str = "top1"
    pixel_threshold: str | None = None
    motion_kind: str = "flow"
    features: Path | None = None
    more: Mapping[str, str] = field(default_factory=dict)


Builder = Callable[[str, Choices], "VideoScorer"]

METHODS: dict[str, str] = {
    "motion": "zsad.cli.video.methods:build_motion",
    "map": "zsad.cli.video.methods:build_with_detector",
    "fused": "zsad.cli.video.methods:build_with_detector",
    "lavad": "zsad.cli.video.language_methods:build_alone",
    "mcanet": "zsad.cli.video.language_methods:build_alone",
    "vera": "zsad.cli.video.language_methods:build_alone",
    "ask": "zsad.cli.video.language_methods:build_alone",
    "gated": "zsad.cli.video.language_methods:build_alone",
}
"""Name of ``--method`` -> ``module:function`` that builds it, a :data:`Builder`."""
LOOKING = ("motion", "map", "fused")
"""Those that look at frames, and have a map of each."""


def build(name: str, choices: Choices) -> VideoScorer:
    """Return the scorer of a method.

    Raises:
        UsageError: there is none of that name.
        Exception: whatever its builder raises, such as a model that can't be loaded.
    """
    from zsad.video.learned.scorer import is_learned

    if name not in METHODS and is_learned(name):
        return build_learned(name, choices)
    if name not in METHODS:
        known = ", ".join(METHODS)
        raise UsageError(f"--method {printable(name):.60}: there is none{near(name, METHODS)}; known: {known}")
    module, function = METHODS[name].split(":")
    builder: Builder = getattr(import_module(module), function)
    return builder(name, choices)


def build_learned(name: str, choices: Choices) -> VideoScorer:
    """Build a weakly supervised model out of its folder or ONNX file; ``--model`` names another place of its backbone.

    Raises:
        UsageError: an option that it does not know.
        ModelError: it is damaged.
        MissingExtraError: a folder needs torch.
    """
    from zsad.cli.video.lists import names_of
    from zsad.video.learned.scorer import LearnedScorer, load_learned

    odd = sorted(set(choices.more) - {"classes"})
    if odd:
        raise UsageError(f"--set {printable(odd[0]):.60}: a learned model knows only classes=NAMES")
    network = load_learned(name)
    if "classes" in choices.more:
        network = named(network, names_of(choices.more["classes"]), choices.model)
    return LearnedScorer(network, name, backbone=choices.model, device=choices.device, folder_fps=choices.folder_fps,
                         features=choices.features)  # fmt: skip


def named(network: Any, names: Sequence[str], backbone: str | None = None) -> Any:
    """Return a learned model with other classes, which are only named: it has not seen them.

    Raises:
        UsageError: an ONNX file, in which texts are fixed; or a model without texts.
        PromptError: names that can't be told apart.
    """
    from zsad.video.learned.onnx_network import OnnxNetwork

    if isinstance(network, OnnxNetwork):
        raise UsageError("an ONNX file has the texts of its classes inside; "
                         "name others with zsad video export MODEL_DIR --classes")  # fmt: skip
    from zsad.video.weak.folder import with_classes
    from zsad.video.weak.starting import text_tower_of

    if network.table is None:
        raise UsageError("this model learned no texts, so that it takes no class names; leave them out")
    return with_classes(network, names, text_tower_of(backbone or network.card.backbone))


def build_motion(name: str, choices: Choices) -> VideoScorer:
    """Build ``motion``, which needs no model.

    Raises:
        UsageError: it is given one.
    """
    if choices.model is not None or choices.prompt is not None or choices.noun is not None:
        raise UsageError("--method motion looks at no model; leave --model and words out, or take --method fused")
    return _frame_method(name, None, choices)


def build_with_detector(name: str, choices: Choices) -> VideoScorer:
    """Build ``map`` or ``fused``, with the model that is asked for."""
    import zsad
    from zsad.cli import options

    given = {"prompt": choices.prompt, "object": choices.noun, "pixel_threshold": choices.pixel_threshold}
    detector = options.load(choices.model, device=choices.device, dtype=choices.dtype, **given)
    assert isinstance(detector, zsad.Detector)
    return _frame_method(name, detector, choices)


def _frame_method(name: str, detector: Any, choices: Choices) -> VideoScorer:
    from zsad.video.detector import frame_method
    from zsad.video.methods import NormalFootage, Sampling
    from zsad.video.refine import CAUSAL

    sampling = Sampling(1 if choices.stride is None else choices.stride, choices.fps, choices.folder_fps)
    refiners = CAUSAL if choices.refiners is None else choices.refiners
    footage = NormalFootage(tuple(choices.normal), choices.normal_seconds)
    kind: Any = choices.motion_kind
    return frame_method(name, detector, sampling, refiners, footage, choices.map_score, kind)
