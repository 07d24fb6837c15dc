"""An export as data: which model and prompt, how it is written, and which words go with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zsad.backbone import Backbone
from zsad.card import LARGEST_INPUT
from zsad.config import knob
from zsad.detector.phrases import PhraseBook
from zsad.detector.torch_detector import load_detector
from zsad.onnx_export.files import check_place
from zsad.onnx_export.report import ExportReport
from zsad.onnx_export.write import export
from zsad.paths import prompt_file
from zsad.prompt.bank import load_bank
from zsad.prompt.ensemble import bank_vectors, mean_direction
from zsad.prompt.words import Words


@dataclass(frozen=True)
class Store:
    """Words whose vectors go into the file, so that prompts can be exchanged where there is no torch.

    One vector takes 2.7 bytes for each of its D numbers.
    """

    prompts: tuple[str, ...] = knob((), "prompt banks")
    nouns: tuple[str, ...] = knob((), "object nouns, for each of those banks; the bank's own comes by itself")
    texts: tuple[str, ...] = knob((), "phrases for normal and anomalous texts")


@dataclass(frozen=True)
class Recipe:
    """Everything that ``zsad export`` needs."""

    model: str = knob("", "id of a backbone, such as ViT-L-14-336/openai")
    prompt: str | None = knob(None, "bank or trained prompt that is baked in; the industrial bank by default")
    object: str | None = knob(None, "object noun, for a bank")
    normal: str | None = knob(None, "free text for normal")
    anomalous: str | None = knob(None, "free text for anomalous")
    image_size: int | None = knob(None, "side S of the input", low=16, high=LARGEST_INPUT, unit="px")
    weights: Literal["float32", "float16", "int8"] = knob("float32", "how the weights are stored")
    features: bool = knob(False, "whether the file also gives its features, for other scorers")
    opset: int = knob(20, "ONNX operator set", low=18, high=23)
    store: Store = field(default_factory=Store)


def write(recipe: Recipe, path: str | Path) -> ExportReport:
    """Load what a recipe names and export it.

    Raises:
        ModelError: no such backbone, or a file too far from it.
        PromptError: no such prompt, or one made for another backbone.
        OutputError: ``path`` can't be written.
    """
    check_place(Path(path), [recipe.model])
    prompt = None if recipe.prompt is None else prompt_file(recipe.prompt)
    words = Words(prompt, recipe.object, recipe.normal, recipe.anomalous)
    detector = load_detector(recipe.model, words, image_size=recipe.image_size)
    phrases = phrase_book(detector.backbone, recipe.store)
    return export(detector, path, opset=recipe.opset, weights=recipe.weights, phrases=phrases, features=recipe.features)


def phrase_book(backbone: Backbone, store: Store) -> PhraseBook:
    """Encode the words that are to be stored.

    Raises:
        ModelError: the backbone has no text tower.
        PromptError: no such bank, or words that can't be encoded.
    """
    pairs = {}
    for name in store.prompts:
        bank = load_bank(name)
        nouns: list[str | None] = [None, *store.nouns]
        pairs[bank.name] = {noun or "": bank_vectors(backbone, bank, noun).image for noun in nouns}
    texts = {}
    for phrase in store.texts:
        texts[phrase] = mean_direction(backbone.text_tower(), [phrase]).cpu().numpy()
    return PhraseBook(texts, pairs)
