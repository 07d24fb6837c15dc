"""One door to every detector: the bundled model, an ONNX file, or a backbone through torch."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zsad import paths
from zsad.card import ModelCard
from zsad.detector.bundle import Bundle, is_bundle, read_bundle
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import MissingExtraError, ModelError, PromptError, UsageError
from zsad.files import check_name
from zsad.images.tiling import TileSide
from zsad.near import near, near_path
from zsad.outside import printable
from zsad.prompt.store import FINGERPRINT, StoredPrompt, trained_prompt
from zsad.prompt.words import Words
from zsad.thresholds import card_thresholds, chosen
from zsad.types import Rule, Thresholds

if TYPE_CHECKING:
    from zsad.detector.torch_detector import TorchDetector

BUNDLED = "tiny"
"""Name of the model that comes with zsad: ``assets/tiny.onnx``, and ``assets/tiny`` for open_clip's local-dir."""

_WORDS = ("prompt", "object", "normal", "anomalous")
_MUST_AGREE = ("layers", "vv_blocks", "class_norm", "layer_weights", "temperature", "sigma", "score_rule")
"""What an exported graph has fixed, so that a trained prompt must have been trained with the same."""


def load(
    model: str | Path | None = None,
    *,
    prompt: str | Path | None = None,
    object: str | None = None,
    normal: str | None = None,
    anomalous: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    image_size: int | None = None,
    providers: str | Sequence[str] | None = None,
    threads: int | None = None,
    thresholds: Thresholds | str | Path | None = None,
    threshold: float | Literal["never"] | None = None,
    pixel_threshold: float | Literal["never"] | None = None,
    min_area: float | None = None,
    rule: Rule | None = None,
    tile: TileSide = None,
    bits: int = 16,
    orient: bool = True,
    fused: bool = False,
) -> TorchDetector | OnnxDetector:
    """Load a detector.

    The bundled model and ``.onnx`` files run through onnxruntime, without torch. Their prompt is exchanged
    from vectors that are stored in the file or in a trained prompt; other words need the torch extra, which
    then encodes them once, while images still run through onnxruntime.

    Args:
        model: None or ``"tiny"`` for the bundled model, the path of an ``.onnx`` file, or the id of a backbone
            such as ``"ViT-L-14-336/openai"`` (:func:`zsad.backbone.load_backbone`), which needs the torch extra; or the
            folder of a bundle that ``zsad fit`` wrote.
        prompt: name of a bank or trained prompt, a ``.yaml`` or ``.safetensors`` file, or the folder of one.
        object: what the object is, for a bank.
        normal: free text for normal, together with ``anomalous``.
        anomalous: free text for anomalous.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; torch only.
        image_size: side S of the network's input in pixels; torch only.
        providers: execution providers of onnxruntime, best first; ONNX only.
        threads: processors that are used; ONNX only.
        thresholds: what verdicts are made with, or a JSON file of it (:mod:`zsad.thresholds`). Without any, and with
            a model that is not calibrated, images get a score and no verdict.
        threshold: image score from which an image is anomalous, in [0, 1], or ``"never"``; overrides ``thresholds``,
            as the next three do.
        pixel_threshold: map value from which a pixel is anomalous, in [0, 1], or ``"never"``.
        min_area: smallest region that counts, as a fraction of the image's pixels.
        rule: what decides: ``"score"``, ``"region"``, or ``"either"`` of them.
        tile: side of the tiles that large images are looked at in besides, in pixels, or ``"auto"``.
        bits: significant bits of 16-bit images, in 8..16.
        orient: whether EXIF orientation is applied.
        fused: of a bundle, whether zero-shot counts beside its memory.

    Raises:
        UsageError: options that contradict each other or have no meaning for this kind of model.
        ModelError: an unknown or damaged model.
        CardError: a model without a readable card.
        PromptError: an unknown prompt, or one made for another backbone.
        ProviderError: a device or execution provider that is not there.
        MissingExtraError: what is asked for needs torch, which is not installed.
    """
    words = Words(None if prompt is None else str(prompt), object, normal, anomalous)
    words = replace(words, prompt=paths.prompt_file(words.prompt)) if words.prompt else words
    name = BUNDLED if model is None else str(model)
    check_name(name, ModelError)
    detector: TorchDetector | OnnxDetector
    path = _onnx_file(name)
    if is_bundle(name):
        detector = _of_bundle(
            read_bundle(name), words, fused, device, dtype, image_size, providers, threads, tile=tile, bits=bits,
            orient=orient,
        )  # fmt: skip
    elif fused:
        raise UsageError(f"--fused is for bundles that `zsad fit` wrote, not for {printable(name)}; leave it out")
    elif path is not None:
        _only_torch(name, dtype=dtype if dtype != "float32" else None, image_size=image_size)
        detector = OnnxDetector(
            path, providers=_providers(device, providers), threads=threads, tile=tile, bits=bits, orient=orient
        )
        detector = _with_words(detector, name, words)
    else:
        _only_onnx(name, providers=providers, threads=threads)
        _check_name(name)
        _need_torch(f"model {name}")
        from zsad.detector.torch_detector import load_detector

        detector = load_detector(
            name, words, image_size=image_size, device=device, dtype=dtype, tile=tile, bits=bits, orient=orient
        )
    judged = chosen(
        thresholds, image=threshold, pixel=pixel_threshold, min_area=min_area, rule=rule, card=detector.card,
        look=detector.look,
    )  # fmt: skip
    return detector.with_thresholds(judged)


def load_base(
    model: str | Path | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    image_size: int | None = None,
    **options: Any,
) -> TorchDetector | OnnxDetector:
    """Load a model for its features: as :func:`load` where it scores by itself or words are given.

    Args:
        model: as in :func:`load`; no bundle.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; torch only.
        image_size: side S of the network's input in pixels; torch only.
        options: others of :func:`load`.

    Raises:
        UsageError: a bundle, whose memory would be lost.
        Exception: as :func:`load`.
    """
    name = BUNDLED if model is None else str(model)
    if is_bundle(name):
        raise UsageError(f"{printable(name)}: is a bundle already; give its backbone, or add images to it with --add")
    if _onnx_file(name) is not None or any(options.get(key) is not None for key in _WORDS):
        return load(model, device=device, dtype=dtype, image_size=image_size, **options)
    _only_onnx(name, providers=options.pop("providers", None), threads=options.pop("threads", None))
    _check_name(name)
    _need_torch(f"model {name}")
    from zsad.detector.torch_detector import load_features

    rest = {key: value for key, value in options.items() if key not in _WORDS}
    return load_features(name, image_size=image_size, device=device, dtype=dtype, **rest)


def _of_bundle(
    bundle: Bundle,
    words: Words,
    fused: bool,
    device: str,
    dtype: str,
    image_size: int | None,
    providers: str | Sequence[str] | None,
    threads: int | None,
    **options: Any,
) -> TorchDetector | OnnxDetector:
    """Load a bundle's backbone, as it was when the bundle was fitted, and give it the memory."""
    base = bundle.card.base
    if words:
        raise UsageError(f"{bundle.label}: scores by its good images; give words to `zsad fit` and use --fused")
    if image_size is not None:
        raise UsageError(f"{bundle.label}: image_size is that of its memory; leave it out, or fit again with it")
    onnx = bundle.file()
    given = {key: getattr(base, key) for key in _WORDS if getattr(base, key) is not None}
    if onnx is not None or _onnx_file(base.name) is not None or given:
        size = None if onnx or _onnx_file(base.name) else bundle.model.input.image_size
        found = load(onnx or base.name, **given, device=device, dtype=dtype, image_size=size, providers=providers,
                     threads=threads, **options)  # fmt: skip
    else:
        _only_onnx(base.name, providers=providers, threads=threads)
        _need_torch(f"{bundle.label}, whose backbone is {printable(base.name)},")
        from zsad.detector.torch_detector import features_of

        found = features_of(bundle.model, device=device, dtype=dtype, **options)
    return bundle.on(found, fused=fused)


_WELL_KNOWN = (
    "ViT-L-14-336/openai", "ViT-L-14/openai", "ViT-B-16/openai", "ViT-B-32/openai",
    "timm:vit_base_patch14_reg4_dinov2.lvd142m", "timm:vit_small_patch14_reg4_dinov2.lvd142m",
)  # fmt: skip
"""Backbones that people mean most often; `zsad models` lists all."""


def _check_name(name: str) -> None:
    """Refuse what can't be the id of a backbone, before gigabytes are asked for.

    Raises:
        UsageError: no such name, with those that are close to it.
    """
    if ":" in name or Path(name).exists():
        return
    close = near(name, (BUNDLED, *paths.GETTABLE, *_WELL_KNOWN))
    if "/" not in name or (close and name not in _WELL_KNOWN and not _has_torch()):
        raise UsageError(
            f"model {name}: is not known{close or near_path(name)}; `zsad models` lists what can be loaded"
        )


def _onnx_file(name: str) -> Path | None:
    """Return the ONNX file of a name: the bundled model's, a path, or one that ``zsad models get`` built."""
    if name == BUNDLED:
        return paths.asset(f"{BUNDLED}.onnx")
    if name.lower().endswith(".onnx"):
        return Path(name)
    return paths.built_model(name)


def onnx_file(model: str | Path | None) -> Path | None:
    """Return the ONNX file that :func:`load` opens for a model, or None where it runs through torch, or is a bundle."""
    name = BUNDLED if model is None else str(model)
    return None if is_bundle(name) else _onnx_file(name)


def _with_words(detector: OnnxDetector, name: str, words: Words) -> OnnxDetector:
    """Exchange the prompt of an ONNX detector: from stored vectors, from a trained prompt, or through torch."""
    if not words or words == Words(detector.card.scoring.prompt):
        return detector
    try:
        return detector.with_stored(words)
    except PromptError as error:
        not_stored = error
    stored = trained_prompt(words) if words.prompt else None
    if stored is not None:
        _check_agreement(detector.card, stored, name)
    if stored is not None and stored.vectors is not None:
        shown = stored.card.scoring.prompt or str(words.prompt)
        return detector.with_vectors(stored.vectors, shown, thresholds=card_thresholds(stored.card))
    if not _has_torch():
        raise not_stored
    from zsad.backbone import backbone_of
    from zsad.prompt.apply import apply_stored, apply_words

    card = detector.card
    if BUNDLED in (name, card.provenance.backbone):
        card = card.changed(backbone=f"local-dir:{_text_folder()}")
    backbone = backbone_of(card)
    applied = apply_words(words, backbone) if stored is None else apply_stored(stored, backbone)
    thresholds = None if stored is None else card_thresholds(stored.card)
    return detector.with_vectors(applied.vectors, applied.card["prompt"], thresholds=thresholds)


def _check_agreement(card: ModelCard, stored: StoredPrompt, name: str) -> None:
    """Refuse a trained prompt that was made for other weights, or for another reading of them."""
    prompt = stored.card.scoring.prompt or "prompt"
    ours, theirs = (c.provenance.details.get(FINGERPRINT, c.provenance.backbone) for c in (card, stored.card))
    if ours != theirs:
        maker = stored.card.provenance.backbone or "another backbone"
        raise PromptError(f"{prompt}: was made for {maker}, not for {name}")
    for key in _MUST_AGREE:
        fixed, needed = card.flat()[key], stored.card.flat()[key]
        if fixed != needed:
            raise PromptError(
                f"{prompt}: was trained with {key} {needed}, {name} has {fixed}; export it anew: "
                f"zsad export --model {stored.card.provenance.backbone} --prompt {shlex.quote(prompt)}"
            )


def _text_folder() -> Path:
    folder = paths.asset(f"{BUNDLED}/open_clip_config.json").parent
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: the bundled model's text weights are missing; install zsad again")
    return folder


def _providers(device: str, providers: str | Sequence[str] | None) -> str | Sequence[str]:
    if providers is None:
        return device
    if device != "cpu":
        raise UsageError(f"device {device!r} and providers {providers!r} say the same twice: give one of them")
    return providers


def _only_torch(name: str, **given: object) -> None:
    for option, value in given.items():
        if value is not None:
            raise UsageError(
                f"{option} is fixed in {name}, an ONNX file: leave it out, or export again with `zsad export`"
            )


def _only_onnx(name: str, **given: object) -> None:
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} is for ONNX files, {name} runs through torch: leave it out, or use device")


def _has_torch() -> bool:
    return all(importlib.util.find_spec(package) is not None for package in ("torch", "open_clip"))


def _need_torch(what: str) -> None:
    if not _has_torch():
        raise MissingExtraError(what, "torch")
