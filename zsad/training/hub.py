"""Trained prompts up to the Hugging Face hub and down again; the frozen backbone never goes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from zsad.backbone import Backbone, TextTower
from zsad.card import ModelCard
from zsad.errors import DownloadError, PromptError
from zsad.paths import hub
from zsad.prompt.apply import check_backbone
from zsad.prompt.bank import LearnerSettings
from zsad.prompt.learner import PromptLearner
from zsad.prompt.store import StoredPrompt, load_prompt, save_prompt

FILE = "prompt.safetensors"
"""Name of the prompt in a repository: the file that ``zsad train`` writes, card included."""

_DOWNLOAD = ("revision", "cache_dir", "force_download", "local_files_only", "token")

_TEMPLATE = """---
{{ card_data }}
---

A trained prompt of zsad: zero-shot anomaly segmentation. `prompt.safetensors` has the learned values, and the
backbone, data, recipe and licence in its card. Use it with `zsad detect IMAGES --model BACKBONE --prompt DIR`.
"""


class HubPrompt(
    PromptLearner, PyTorchModelHubMixin, library_name="zsad", tags=["anomaly-detection"], model_card_template=_TEMPLATE
):
    """A prompt learner that can be pushed to the hub and read from it.

    ``HubPrompt.of("out/prompt.safetensors", backbone).push_to_hub("org/name")``, then
    ``HubPrompt.from_pretrained("org/name", backbone=backbone)`` elsewhere.

    Args:
        text: the frozen text tower.
        settings: sizes and words.
        half_compat: see :class:`~zsad.prompt.learner.PromptLearner`.
        seed: of the initial values.
        card: what the prompt was made for and on.
    """

    def __init__(
        self,
        text: TextTower,
        settings: LearnerSettings | None = None,
        *,
        half_compat: bool = False,
        seed: int = 0,
        card: ModelCard | None = None,
    ) -> None:
        super().__init__(text, settings, half_compat=half_compat, seed=seed)
        self.card = card or ModelCard()

    @classmethod
    def of(cls, path: str | Path, backbone: Backbone) -> Self:
        """Read a prompt file that holds learned values.

        Raises:
            PromptError: a damaged file, one without learned values, or one made for another backbone.
        """
        stored = load_prompt(path)
        if not stored.learned:
            raise PromptError(f"{path}: holds finished vectors only, no learner; share the file itself")
        check_backbone(stored, backbone.info)
        made = cls(backbone.text_tower(), stored.settings, card=stored.card)
        made.load(stored.learned, str(path))
        return made

    def stored(self) -> StoredPrompt:
        """Return what a prompt file holds: learned values, finished vectors, card."""
        return StoredPrompt(card=self.card, vectors=self.vectors(len(self.card.reading.layers)), learned=self.tensors())

    def _save_pretrained(self, save_directory: Path) -> None:
        save_prompt(save_directory / FILE, self.stored())

    @classmethod
    def from_pretrained(cls, name: str | Path, *, backbone: Backbone, **options: Any) -> Self:  # type: ignore[override]
        """Read a prompt from the hub, or from a folder that ``save_pretrained`` wrote.

        Args:
            name: ``ORG/NAME`` or a folder.
            backbone: what the prompt was trained for.
            options: of ``huggingface_hub``, such as ``revision`` or ``token``.

        Raises:
            DownloadError: it can't be fetched.
            PromptError: it was made for another backbone, or is damaged.
        """
        with hub(needed=not Path(name).is_dir()) as why:
            try:
                found: Self = super().from_pretrained(name, backbone=backbone, **options)
            except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
                raise DownloadError(
                    f"{name}: can't be fetched from the hub ({why(error)}); check name and connection"
                ) from None
        return found

    @classmethod
    def _from_pretrained(cls, *, model_id: str, backbone: Backbone, **options: Any) -> Self:  # type: ignore[override]
        if Path(model_id).is_dir():
            return cls.of(Path(model_id) / FILE, backbone)
        wanted = {key: options[key] for key in _DOWNLOAD if key in options}
        made = cls.of(hf_hub_download(model_id, FILE, **wanted), backbone)
        made.card = made.card.changed(source=f"https://huggingface.co/{model_id}")
        return made
