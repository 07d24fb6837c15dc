"""The named exceptions that users see.

Every message is one line that names the input and says what to do. The command line prints it as it
is; nothing in zsad corrects such a case silently.
"""

from __future__ import annotations

import textwrap


class ZsadError(Exception):
    """Base of everything that zsad raises on purpose; catch this to catch all of them."""


class InputError(ZsadError):
    """An image, array or file that can't be used as it is."""


class UsageError(ZsadError):
    """Options that contradict each other or make no sense together."""


class ConfigError(ZsadError):
    """A configuration with an unknown key, a wrong type or a value out of range."""


class CardError(ZsadError):
    """A model card that is absent, damaged, or has unknown keys."""


class ModelError(ZsadError):
    """A model that is unknown, damaged, or not one of ours."""


class TextlessError(ModelError):
    """Words for a backbone that has no text tower to read them."""


class PromptError(ZsadError):
    """A prompt that is unknown, damaged, or made for another backbone."""


class DatasetError(ZsadError):
    """A dataset folder that does not have the stated layout, or lacks what it needs."""


class MetricError(ZsadError):
    """Scores that no metric is defined for, such as NaN."""


class OutputError(ZsadError):
    """A place that results can't be written to."""


class OccupiedError(OutputError, UsageError):
    """A place that holds an input, or a file that zsad did not write; it stays as it is."""


class InUseError(OutputError, UsageError):
    """A place that another run is writing to at this moment."""


class Terminated(KeyboardInterrupt):
    """The system asked this process to end (SIGTERM), or its terminal has gone (SIGHUP); handled like Ctrl-C.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = 15) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What the system expects of a process that ends by this signal."""
        return 128 + self.number


class DownloadError(ZsadError):
    """A file that could not be fetched, or whose checksum is wrong."""


class ProviderError(ZsadError):
    """An execution provider or device that this machine does not have."""


class EndpointError(ZsadError):
    """A language model's endpoint that is not there, refuses the key, or can't take what a method sends."""


class BudgetError(ZsadError):
    """The calls or tokens that a run may spend are spent; what was paid for is kept."""


class ForkedError(ZsadError):
    """A detector that was made before this process was forked, in which it would hang."""


class MissingExtraError(ZsadError):
    """An optional dependency is absent; the message gives the command that adds it."""

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(f"{need} needs the `{extra}` extra: pip install 'zsad[{extra}]'")
        self.need, self.extra = need, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.need, self.extra)


def first_line(error: BaseException, limit: int = 200) -> str:
    r"""Return the first line of an error's text, cut between words if it is long, or its kind if it has no text.

    >>> first_line(ValueError("no such layer\nand more"))
    'no such layer'
    """
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return textwrap.shorten(line, limit, placeholder=" ...")
