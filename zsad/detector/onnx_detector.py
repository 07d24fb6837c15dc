"""OnnxDetector: an exported file through onnxruntime, interchangeable with the torch Detector."""

from __future__ import annotations

import copy
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from zsad.card import CARD_KEY, ModelCard
from zsad.detector.base import Detector
from zsad.detector.lane_threads import lane_threads
from zsad.detector.learned import LEARNED_KEY, from_list
from zsad.detector.phrases import PHRASES_KEY, PhraseBook
from zsad.detector.providers import CPU, default_threads, name_of, open_session, resolve
from zsad.errors import CardError, ModelError, PromptError
from zsad.files import is_file
from zsad.images.tiling import TileSide
from zsad.prompt.words import Words
from zsad.scoring.directions import graph_directions
from zsad.scoring.scorer import Fusing, Scorer
from zsad.thresholds import card_thresholds
from zsad.types import Features, FloatArray, PromptVectors, Thresholds

IMAGE, MAP, SCORE, CLS, PATCHES = "image", "map", "score", "cls", "patches"
"""Names of the graph's input and outputs; features are there if the file was exported with them."""
IMAGE_DIRECTION, PIXEL_DIRECTION = "image_direction", "pixel_direction"
"""Names of the initializers that a prompt replaces: (anomalous - normal) / temperature, ``(D,)`` and ``(L, D)``."""

SMALL = 64_000_000
"""Bytes up to which a model is opened a second time, for many images."""
MOST_LANES = 8
"""Images that are in the network at a time, at most; two threads decode for all of them."""


class OnnxDetector(Detector):
    """Image -> Result through onnxruntime, without torch.

    Args:
        source: path of an ONNX file written by ``zsad export``, or its bytes.
        thresholds: what turns scores into verdicts; the card's by default.
        providers: ``"cpu"``, ``"cuda"``, a provider name or a list of them; CPU by default.
        threads: processors that are used; by default all that this process may use.
        tile: side of the tiles that large images are looked at in besides, in pixels; ``"auto"`` chooses it; None
            squeezes the whole image.
        bits: significant bits of 16-bit images, in 8..16.
        orient: whether EXIF orientation is applied.
        words: a stored prompt, or two stored phrases, to use instead of the prompt that is baked in.

    Raises:
        ModelError: absent, damaged, or not a model of this project.
        CardError: its card is absent or can't be read.
        ProviderError: the execution provider is not there.
        PromptError: the words are not stored in the file.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        thresholds: Thresholds | None = None,
        providers: str | Sequence[str] | None = None,
        threads: int | None = None,
        tile: TileSide = None,
        bits: int = 16,
        orient: bool = True,
        words: Words | None = None,
    ) -> None:
        where = name_of(source)
        chosen_providers, processors = resolve(providers), default_threads() if threads is None else threads
        stamp = _stamp(source)
        session = open_session(source, chosen_providers, processors)
        try:
            metadata = session.get_modelmeta().custom_metadata_map
            card = _read_card(metadata, where)
            _check_signature(session, card, where)
        except UnicodeDecodeError:  # onnxruntime reads any bytes, and decodes names when they are asked for
            raise ModelError(f"{where}: has names that are not UTF-8 text; export the model again") from None
        super().__init__(card, thresholds, tile=tile, bits=bits, orient=orient)
        self._session, self._where = session, where
        self._source, self._stamp, self._processors = source, stamp, processors
        self._providers = chosen_providers
        self._divides = chosen_providers == [CPU] and sum(size for size, _ in stamp) <= SMALL
        self._lane: int | None = None  # processors of one lane, in the copy that several lanes use
        self._feeds: dict[str, FloatArray] = {}
        self._baked = from_list(metadata[LEARNED_KEY], where) if LEARNED_KEY in metadata else super().learned
        self._own: Scorer | None = None  # what scores beside a fused scorer, if it is not the graph
        self.phrases = (
            PhraseBook.from_json(metadata[PHRASES_KEY], card.reading.embed_dim, where)
            if PHRASES_KEY in metadata
            else PhraseBook()
        )
        given = {entry.name for entry in session.get_outputs()}
        self._has_features, self._has_map = given >= {CLS, PATCHES}, MAP in given
        if words:
            self._exchange(*self._stored(words), thresholds)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to open it again: the file's path, not its session."""
        source = self._source if isinstance(self._source, bytes) else str(Path(self._source).resolve())
        return {**self.__dict__, "_source": source, "_session": self._providers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open it again.

        Raises:
            ModelError: the file is not there, or has changed since.
        """
        self.__dict__.update(state)
        if not isinstance(self._source, bytes) and not is_file(self._source):
            raise ModelError(f"{self._source}: no such file here; load the detector in this process instead")
        if _stamp(self._source) != self._stamp:
            raise _changed(self._where)
        self.__dict__["_session"] = open_session(self._source, self._providers, self._processors)

    @property
    def providers(self) -> list[str]:
        """The execution providers that the session runs on, best first."""
        return list(self._session.get_providers())

    @property
    def scores(self) -> bool:
        """Whether the file gives map and score by itself; one with features only needs a scorer."""
        return self._has_map

    @property
    def carries_features(self) -> bool:
        """Whether the file gives features beside map and score, or in their place."""
        return self._has_features

    def side_by_side(self) -> tuple[Self, int]:
        """Return a copy whose network uses few processors, and how many threads are to call it at a time.

        A processor for each image is faster than all processors on one image, where every operator waits for the
        slowest part of the one before. A large model, or one on a GPU, is not opened a second time.

        Returns:
            ``(detector, threads)``; threads times the copy's processors are those of this detector.

        Raises:
            ModelError: the file has changed since it was opened.
        """
        each = -(-self._processors // MOST_LANES)
        if not self._divides or self._processors < 2 * each or getattr(self._scorer, "in_order", False):
            return self, 1
        other = copy.copy(self)
        other._session, other._divides, other._lane = open_session(self._source, [CPU], each), False, each
        if _stamp(self._source) != self._stamp:
            raise _changed(self._where)
        return other, self._processors // each

    def with_stored(self, words: Words) -> Self:
        """Return the same model (sharing its session) with a prompt that is stored in its file.

        Raises:
            PromptError: not stored.
        """
        return self.with_vectors(*self._stored(words)) if words else self

    def _stored(self, words: Words) -> tuple[PromptVectors, str]:
        pair, name = self.phrases.choose(words, default=self._card.scoring.prompt)
        return PromptVectors.shared(pair, len(self._card.reading.layers)), name

    def with_vectors(self, vectors: PromptVectors, prompt: str, *, thresholds: Thresholds | None = None) -> Self:
        """Return the same model (sharing its session) that looks for something else; see the base class.

        The graph itself takes vectors of as many classes as it was exported with; others need its features.

        Raises:
            PromptError: vectors of another width or number of layers, or a file with fixed directions.
        """
        if self._scorer is not None or (len(vectors.names) != len(self._card.scoring.classes) and self._has_features):
            return super().with_vectors(vectors, prompt, thresholds=thresholds)
        other = copy.copy(self)
        other._exchange(vectors, prompt, thresholds)
        return other

    def with_scorer(self, scorer: Scorer) -> Self:
        """Return the same model (sharing its session) whose features are scored in another way.

        Raises:
            ModelError: the file carries no features.
        """
        if not self._has_features:
            raise _no_features(self._where)
        if isinstance(scorer, Fusing) and self._scorer is None and not self._has_map:
            raise ModelError(f"{self._where}: gives no score of its own, so that none can be fused; give it a prompt")
        other = super().with_scorer(scorer)
        other._own = self._scorer if isinstance(scorer, Fusing) else None
        return other

    def _exchange(self, vectors: PromptVectors, prompt: str, thresholds: Thresholds | None) -> None:
        """Feed other directions to the graph from now on."""
        card = self._card
        wanted = (len(card.reading.layers), 1 + len(card.scoring.classes), card.reading.embed_dim)
        if vectors.pixel.shape != wanted:
            raise PromptError(
                f"prompt {prompt!r}: vectors are {vectors.pixel.shape}, {self._where} needs {wanted}; "
                "it was made for another backbone"
            )
        exchangeable = {entry.name for entry in self._session.get_overridable_initializers()}
        if not {IMAGE_DIRECTION, PIXEL_DIRECTION} <= exchangeable:
            raise PromptError(f"{self._where}: its prompt is fixed; export the model again to exchange it")
        image, pixel = graph_directions(vectors, card.scoring.temperature)
        self._feeds = {IMAGE_DIRECTION: image, PIXEL_DIRECTION: pixel}
        self._card = card.changed(prompt=prompt, classes=vectors.names, calibrated=False)
        self._thresholds = (thresholds or Thresholds()).over(card_thresholds(self._card))

    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._scorer is None:
            return self._by_graph(x)
        with lane_threads(self._lane):
            return self._by_scorer(x, self._scorer)

    def _by_scorer(self, x: FloatArray, scorer: Scorer) -> tuple[FloatArray, FloatArray]:
        if not isinstance(scorer, Fusing):
            return super()._network(x)
        if self._own is not None:
            features = self._read(x)
            return scorer.fuse(features, *self._own.score(features))
        maps, scores, cls, patches = self._run([MAP, SCORE, CLS, PATCHES], x)
        return scorer.fuse(Features(cls, patches, self._card.grid), maps, scores)

    def _by_graph(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if not self._has_map:
            raise ModelError(
                f"{self._where}: gives features only and no score; fit it on good parts, "
                f"as in zsad fit GOOD_FOLDER --model {shlex.quote(self._where)} --out parts.bundle"
            )
        maps, scores = self._run([MAP, SCORE], x)
        return maps, scores

    @property
    def source(self) -> Path | bytes:
        """The file that it was opened from, or its bytes."""
        return self._source if isinstance(self._source, bytes) else Path(self._source)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, and of the weights beside it if they are apart."""
        return fingerprint_of(self._source)

    @property
    def learned(self) -> frozenset[str] | None:
        """Of the graph those that its file lists, of a scorer its own, of a scorer that fuses both: both."""
        own = super().learned
        if self._scorer is not None and (self._own is not None or not isinstance(self._scorer, Fusing)):
            return own
        if self._scorer is None:
            return self._baked
        return None if own is None or self._baked is None else own | self._baked

    def _read(self, x: FloatArray) -> Features:
        if not self._has_features:
            raise _no_features(self._where)
        cls, patches = self._run([CLS, PATCHES], x)
        return Features(cls, patches, self._card.grid)

    def _run(self, outputs: list[str], x: FloatArray) -> list[FloatArray]:
        try:
            found: list[FloatArray] = self._session.run(outputs, {IMAGE: x, **self._feeds})
        except Exception as error:  # out of memory, a lost device: onnxruntime has no common base class
            detail = " ".join(str(error).split())[:300]
            raise ModelError(f"{self._where}: onnxruntime failed on a batch of {len(x)} ({detail})") from None
        return found


def _changed(where: str) -> ModelError:
    return ModelError(f"{where}: has changed since it was opened; start again with the new file")


def _no_features(where: str) -> ModelError:
    return ModelError(f"{where}: carries no features; export the model again with `zsad export --features`")


def _stamp(source: str | Path | bytes) -> list[tuple[int, int]]:
    """Return bytes and time of change of a model's file, and of the weights beside it if they are apart."""
    if isinstance(source, bytes):
        return [(len(source), 0)]
    facts = [part.stat() for part in (Path(source), Path(f"{source}.data")) if part.exists()]
    return [(fact.st_size, fact.st_mtime_ns) for fact in facts]


def fingerprint_of(source: str | Path | bytes) -> str:
    """Return the SHA-256 of a model's file, and of the weights beside it if they are apart; 64 hex digits."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    for part in (Path(source), Path(f"{source}.data")):
        if part.exists():
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read_card(metadata: dict[str, str], where: str) -> ModelCard:
    if CARD_KEY not in metadata:
        raise CardError(f"{where}: has no model card, so it was not written by `zsad export`; export your model first")
    return ModelCard.from_json(metadata[CARD_KEY], where)


def _check_signature(session: Any, card: ModelCard, where: str) -> None:
    """Compare names, types and fixed sides of inputs and outputs with what the card promises."""
    S, L, D = card.input.image_size, len(card.reading.layers), card.reading.embed_dim
    K = len(card.scoring.classes)
    inputs = {IMAGE: (None, 3, S, S)}
    given = {entry.name for entry in session.get_outputs()}
    features = {CLS: (None, D), PATCHES: (None, L, card.grid**2, D)} if given & {CLS, PATCHES} else {}
    scored = {MAP: (None, S, S), SCORE: (None,)} if given & {MAP, SCORE} or not features else {}
    outputs: dict[str, tuple[int | None, ...]] = {**scored, **features}
    directions = {IMAGE_DIRECTION: (D,), PIXEL_DIRECTION: (L, D)}
    if K > 1:
        directions = {IMAGE_DIRECTION: (K, D), PIXEL_DIRECTION: (L, K, D)}
    for kind, entries, wanted in (
        ("inputs", session.get_inputs(), inputs),
        ("outputs", session.get_outputs(), outputs),
        ("prompt directions", session.get_overridable_initializers(), directions),
    ):
        found = {entry.name: entry for entry in entries}
        complete = set(found) == set(wanted) or (kind == "prompt directions" and not found)
        if complete and all(_fits(entry, wanted[name]) for name, entry in found.items()):
            continue
        shown = ", ".join(f"{e.name} {e.type} {e.shape}" for e in entries)[:200] or "none"
        need = ", ".join(f"{name} {list(shape)}" for name, shape in wanted.items()).replace("None", "B")
        raise ModelError(f"{where}: {kind} are {shown}, its card needs {need} as float32; export the model again")


def _fits(entry: Any, shape: tuple[int | None, ...]) -> bool:
    if entry.type != "tensor(float)" or len(entry.shape) != len(shape):
        return False
    # A free batch axis is a name; each other side must be the number itself.
    return all(
        isinstance(a, str) or a is None if b is None else a == b for a, b in zip(entry.shape, shape, strict=True)
    )
