"""A text tower in an ONNX file: strings -> unit vectors, without torch. ``zsad export --text`` writes such files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsad.detector.providers import default_threads, name_of, open_session, resolve
from zsad.documents import LARGE, Entries, parse_json
from zsad.errors import ModelError
from zsad.outside import printable, shown
from zsad.prompt.clip_tokens import KIND, ClipTokens

TEXT_KEY, FORMAT = "zsad_text", 1
"""Name of the card in the file's metadata, and its version."""
IDS, VECTORS = "ids", "vectors"
"""Names of the graph's input, (P, T) int64, and of its output, (P, D) float32."""
_AT_ONCE = 32
_LARGEST = 4096


@dataclass(frozen=True)
class TextCard:
    """What a file says of itself.

    Attributes:
        backbone: id of the model that the text tower belongs to.
        fingerprint: of that model's weights, as on the card of an exported detector.
        embed_dim: D.
        causal: no position reads a later one, so that positions after the longest text are left out.
        tokens: its tokenizer.
    """

    backbone: str
    fingerprint: str
    embed_dim: int
    causal: bool
    tokens: ClipTokens

    def to_json(self) -> str:
        """Return it as it stands in the file's metadata, merges of the tokenizer included."""
        merges = "\n".join(" ".join(pair) for pair in self.tokens.merges)
        return json.dumps({
            "format": FORMAT, "backbone": self.backbone, "backbone_fingerprint": self.fingerprint,
            "embed_dim": self.embed_dim, "causal": self.causal, "context_length": self.tokens.context_length,
            "tokens": KIND, "merges": merges,
        }, ensure_ascii=False)  # fmt: skip

    @classmethod
    def from_json(cls, text: str, where: str) -> TextCard:
        """Read a card.

        Raises:
            ModelError: it is damaged, or of a newer format.
        """
        entries = Entries.of(parse_json(text, where, ModelError, LARGE), where, ModelError)
        if entries.whole("format", 1) != FORMAT or entries.text("tokens") != KIND:
            raise ModelError(f"{where}: was written by a newer zsad; upgrade, or export it again")
        pairs = [tuple(line.split(" ")) for line in entries.text("merges", 1 << 23).split("\n") if line]
        if any(len(pair) != 2 for pair in pairs):
            raise ModelError(f"{where}: its tokenizer is damaged; export it again")
        tokens = ClipTokens([(a, b) for a, b in pairs], entries.whole("context_length", 3, _LARGEST))
        names = entries.text("backbone", 500), entries.text("backbone_fingerprint", 64)
        return cls(*names, entries.whole("embed_dim", 1, 1 << 16), entries.flag("causal"), tokens)


class TextFile:
    """Strings -> unit vectors through onnxruntime.

    Args:
        path: a file that ``zsad export --text`` wrote.
        providers: ``"cpu"``, ``"cuda"``, a provider name or a list of them; CPU by default.

    Raises:
        ModelError: absent, damaged, or no such file.
        ProviderError: the execution provider is not there.
    """

    def __init__(self, path: str | Path, providers: str | Sequence[str] | None = None) -> None:
        where = name_of(path)
        self._session = open_session(path, resolve(providers), default_threads())
        said = self._session.get_modelmeta().custom_metadata_map.get(TEXT_KEY)
        if said is None:
            raise ModelError(f"{where}: is no text tower; write one with `zsad export --text --model ID --out FILE`")
        self.card = TextCard.from_json(said, where)
        inputs, outputs = (
            [one.name for one in ends] for ends in (self._session.get_inputs(), self._session.get_outputs())
        )
        if inputs != [IDS] or outputs != [VECTORS]:
            raise ModelError(f"{where}: has inputs {shown(inputs)} and outputs {shown(outputs)}; export it again")

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a unit vector per text, (P, D); what is beyond the tower's positions is left out.

        Raises:
            ModelError: the file gives something else.
        """
        return self.vectors(self.card.tokens.ids(texts, cut=True))

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a unit vector per row of token ids (P, T), (P, D) float32.

        Raises:
            ModelError: the file gives something else.
        """
        found = np.empty((len(ids), self.card.embed_dim), np.float32)
        # Texts of like length go together, so that short ones don't pay for long ones.
        lengths = ids.argmax(axis=1) + 1 if self.card.causal else np.full(len(ids), ids.shape[1])
        order = np.argsort(lengths, kind="stable")
        for i in range(0, len(ids), _AT_ONCE):
            rows = order[i : i + _AT_ONCE]
            made: Any = self._session.run([VECTORS], {IDS: ids[rows][:, : int(lengths[rows].max())]})[0]
            if made.shape != (len(rows), self.card.embed_dim) or not np.isfinite(made).all():
                raise ModelError(f"{printable(self.card.backbone)}: its text tower gives no vectors; export it again")
            found[rows] = made
        return found
