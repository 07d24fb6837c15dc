"""Methods that ask a language model, as ``zsad video score`` builds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zsad.cli.video.asking import Asking, opened, tell_counts
from zsad.cli.video.methods import Choices, build

if TYPE_CHECKING:
    from zsad.language.gateway import Gateway
    from zsad.language.scorers import LanguageScorer
    from zsad.video.scorer import VideoScorer

METHODS = ("lavad", "mcanet", "vera", "ask", "gated")


@contextmanager
def scorer_of(name: str, choices: Choices, asked: Asking) -> Iterator[VideoScorer]:
    """Build a method of any kind; of one that asks a language model say at the end what was sent.

    Raises:
        UsageError: options of a language model beside another method, or none beside one that needs them.
        Exception: whatever building raises.
    """
    from zsad.errors import UsageError
    from zsad.terminal import say

    if name not in METHODS:
        if given := asked.given():
            raise UsageError(f"{given[0]} is for methods that ask a language model: {', '.join(METHODS)}; leave it out")
        yield build(name, choices)
        return
    if choices.fps is not None:
        raise UsageError(f"--method {name} looks at every so many frames: give --stride instead of --fps")
    with opened(asked, f"--method {name}") as gateway:
        scorer = build_language(name, choices, gateway, asked.anomaly or "")
        for line in notes(name, scorer):
            say(line)
        try:
            yield scorer
        finally:
            if not asked.dry:
                tell_counts(gateway.counts)


def build_alone(name: str, choices: Choices) -> VideoScorer:
    """Refuse to build a method without the options that it needs, where a command does not have them.

    Raises:
        UsageError: always.
    """
    from zsad.errors import UsageError

    raise UsageError(f"--method {name} asks a language model, which this command does not; take motion, map or fused")


def build_language(name: str, choices: Choices, gateway: Gateway, anomaly: str = "") -> LanguageScorer:
    """Build a method that asks.

    Of ``--set``: ``questions=FILE`` for vera; ``text=FILE``, a text tower, for lavad and mcanet; ``sound=FILE`` and
    ``sound_text=FILE``, an encoder of sound and its text tower, for mcanet; ``share=0.2`` and ``cheap=motion`` for
    gated.

    Raises:
        UsageError: an option, or an entry of ``--set``, that the method has no use for.
        ModelError: the model of ``--model`` can't be loaded, or gives no features.
    """
    from zsad.errors import UsageError
    from zsad.language import scorers
    from zsad.language.guiding import read_questions

    _check_idle(name, choices)
    more = dict(choices.more)
    known = {
        "vera": {"questions"}, "gated": {"share", "cheap"}, "lavad": {"text"},
        "mcanet": {"text", "sound", "sound_text"},
    }.get(name, set())  # fmt: skip
    if unknown := sorted(set(more) - known):
        raise UsageError(f"--set {unknown[0]:.40}: {name} has none such; known: {', '.join(sorted(known)) or 'none'}")
    interval = 16 if choices.stride is None else choices.stride
    embedder = None if name in ("ask", "gated") else _embedder(name, choices, more.get("text"))
    setting = scorers.Setting(anomaly, interval, choices.folder_fps, embedder)
    if name == "vera":
        return scorers.VeraScorer(gateway, setting, read_questions(more["questions"]) if "questions" in more else ())
    if name == "gated":
        return _gated(gateway, setting, choices)
    if name == "mcanet":
        return scorers.McanetScorer(gateway, setting, hearing=_hearing(more.get("sound"), more.get("sound_text")))
    made: dict[str, Any] = {"lavad": scorers.LavadScorer, "ask": scorers.AskScorer}
    scorer: LanguageScorer = made[name](gateway, setting)
    return scorer


def notes(name: str, scorer: LanguageScorer) -> list[str]:
    """Return what a person should know of how a method was built."""
    from zsad.language.scorers import LavadScorer, McanetScorer

    found = []
    if isinstance(scorer, LavadScorer) and not scorer.has_retrieval:
        remedy = "give --set text=FILE of `zsad export --text`, or a --model with a text tower"
        found.append(
            f"captions stay as they are, scores are not refined: nothing compares pictures and texts; {remedy}"
        )
    if isinstance(scorer, McanetScorer) and scorer.hearing is None:
        found.append("captions of sound stay as they are: no encoder of sound was given")
    return found


def _check_idle(name: str, choices: Choices) -> None:
    from zsad.errors import UsageError

    idle: dict[str, Any] = {"--model": choices.model if name == "ask" else None}
    if name != "gated":  # whose cheap method may need all of it
        idle |= {"--prompt": choices.prompt, "--object": choices.noun, "--pixel-threshold": choices.pixel_threshold}
        seconds = choices.normal_seconds
        idle |= {"--normal": choices.normal or None, "--normal-seconds": None if seconds is None else f"{seconds:g}"}
    if given := [option for option, value in idle.items() if value is not None]:
        raise UsageError(f"{given[0]}: --method {name} has no use for it; leave it out")


def _gated(gateway: Gateway, setting: Any, choices: Choices) -> LanguageScorer:
    """Build ``gated`` with the cheap method that is asked for: a map where a model is given, else motion."""
    from zsad.cli.video.choices import digest_of
    from zsad.language import scorers

    method = choices.more.get("cheap", "motion" if choices.model is None else "map")
    alone = replace(choices, more={}, stride=None)
    share = _share(choices.more.get("share", "0.2"))
    return scorers.GatedScorer(gateway, build(method, alone), setting, share=share, settings=digest_of(method, alone))


def _share(text: str) -> float:
    from zsad.errors import UsageError

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise UsageError(f"share must be above 0, and 1 at most, got {text[:20]!r}")
    return value


def _hearing(sound: str | None, text: str | None) -> Any:
    """Return what gives vectors of sound, or None where none is given."""
    from zsad.detector.text_file import TextFile
    from zsad.errors import UsageError
    from zsad.language.audio_file import AudioFile

    if sound is None and text is None:
        return None
    if sound is None or text is None:
        raise UsageError("an encoder of sound goes with its text tower: give --set sound=FILE --set sound_text=FILE")
    return AudioFile(sound, TextFile(text))


def _embedder(name: str, choices: Choices, text: str | None = None) -> Any:
    """Return what gives vectors: the bundled model for vera and beside a text tower; else only a given one."""
    if choices.model is None and name != "vera" and text is None:
        return None
    from zsad.cli import options
    from zsad.detector.text_file import TextFile
    from zsad.language.embedding import ClipEmbedder

    tower = None if text is None else TextFile(text)
    return ClipEmbedder(options.load(choices.model, device=choices.device, dtype=choices.dtype), tower)
