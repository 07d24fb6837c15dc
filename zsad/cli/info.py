"""``zsad info``: what this machine has, and what is missing for what."""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zsad.cli.terminal import Terminal

_PACKAGES = ("numpy", "pillow", "onnxruntime", "onnxruntime-gpu", "scikit-image", "torch", "torchvision",
             "open_clip_torch", "timm", "kornia", "albumentations", "onnx", "onnxscript", "av")  # fmt: skip
_FOR = {
    "torch": "any CLIP or ViT backbone, own words for prompts, training, export",
    "video": "video files and cameras",
    "language": "methods that ask a language model",
    "line": "inspection lines: databases, MQTT, OPC UA",
    "batch": "Parquet tables",
    "ray": "clusters",
    "dev": "tests",
}


def info(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for a bug report.")] = False) -> None:
    """Show versions, devices and caches, what is missing for what, and the command that adds it.

    [bold]Examples[/bold]

      [cyan]zsad info[/cyan]
      [cyan]zsad info --json[/cyan]       for a bug report
    """
    facts: dict[str, Any] = {
        "zsad": _zsad(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "devices": _devices(),
        "folders": dict(_folders()),
        "formats": _formats(),
        "missing": [{"what": what, "for": use, "command": command} for what, use, command in _missing()],
    }
    if as_json:
        import json

        typer.echo(json.dumps(facts, indent=2))
        return
    from rich.text import Text

    from zsad.cli.terminal import Terminal
    from zsad.outside import printable

    console = Terminal(soft_wrap=True)
    for head in ("zsad", "packages", "devices", "folders", "formats"):
        _section(console, head, facts[head])
    console.print("missing", style="bold")
    for entry in facts["missing"]:
        console.print(Text.assemble("  ", (printable(entry["what"]), "yellow"), f"  {entry['for']}"))
        console.print(f"    {entry['command']}", style="cyan")
    if not facts["missing"]:
        console.print("  nothing")


def _section(console: Terminal, head: str, entries: dict[str, Any]) -> None:
    console.print(head, style="bold")
    width = max((len(key) for key in entries), default=0)
    for key, value in entries.items():
        console.print(f"  {key:{width}}  {value}")


def _zsad() -> dict[str, str]:
    import platform

    import zsad
    from zsad import paths
    from zsad.errors import ModelError

    try:
        model = f"{paths.asset('tiny.onnx').stat().st_size / 1e6:.1f} MB"
    except ModelError:
        model = "missing"
    return {
        "version": zsad.__version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}",
        "bundled model": model,
    }


def _devices() -> dict[str, Any]:
    from zsad.errors import ZsadError

    found: dict[str, Any] = {}
    try:
        from zsad.detector.providers import default_threads, offered, refuse_mixed_builds

        found["processors"] = default_threads()
        found["onnxruntime"] = ", ".join(offered())
        refuse_mixed_builds()
    except ZsadError as error:
        found["onnxruntime problem"] = str(error)
    except ImportError as error:
        found["onnxruntime problem"] = f"can't be imported ({error}); pip install --force-reinstall onnxruntime"
    if _version("torch"):
        try:
            from zsad.backbone.survey import torch_devices

            found["torch"] = "; ".join(torch_devices())
        except (ImportError, OSError) as error:
            found["torch problem"] = " ".join(str(error).split())[:200]
    return found


def _folders() -> Iterator[tuple[str, str]]:
    from huggingface_hub import constants

    from zsad import paths

    places = {
        "your prompts": paths.user_prompts(),
        "shipped prompts": paths.shipped_prompts(),
        "downloads": paths.cache_dir(),
        "weights (hub)": Path(constants.HF_HUB_CACHE),
    }
    for name, path in places.items():
        yield name, f"{path}  ({_size(path)})"


def _size(path: Path) -> str:
    if not path.is_dir():
        return "not there yet"
    total = 0
    for file in path.rglob("*"):
        try:
            total += 0 if file.is_symlink() or file.is_dir() else file.stat().st_size
        except OSError:
            continue
    scale, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB")) if total >= s / 10), (1e3, "kB"))
    return f"{total / scale:.1f} {unit}"


def _formats() -> dict[str, str]:
    from PIL import features

    names = {"jpg": "JPEG", "webp": "WebP", "libtiff": "compressed TIFF", "jpg_2000": "JPEG 2000", "avif": "AVIF"}
    known = {key: _feature(features, key) for key in names}
    return {
        "read": ", ".join(["PNG", "BMP", "GIF", "PPM", "TIFF"] + [names[key] for key, there in known.items() if there]),
        "not built in": ", ".join(names[key] for key, there in known.items() if not there) or "-",
    }


def _feature(features: Any, name: str) -> bool:
    # A version of PIL that has not heard of a feature warns, or raises in older ones.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return bool(features.check(name))
        except ValueError:
            return False


def _missing() -> Iterator[tuple[str, str, str]]:
    """Yield what is not installed, what it would be for, and the command that adds it."""
    for extra in _extras():
        absent = [name for name in _needs(extra) if not _version(name)]
        if absent:
            yield f"extra {extra} ({', '.join(absent)})", _FOR.get(extra, ""), f"pip install 'zsad[{extra}]'"
    if not _version("onnxruntime-gpu"):
        yield (
            "onnxruntime-gpu",
            "exported models on an NVIDIA GPU; it takes the place of onnxruntime, never install both",
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
        )


def _extras() -> list[str]:
    try:
        names = importlib.metadata.metadata("zsad").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [name for name in names if name != "dev"]


def _needs(extra: str) -> list[str]:
    """Return the packages of an extra, by the names that it lists."""
    found = []
    for line in importlib.metadata.requires("zsad") or []:
        name = re.match(r"[\w.-]+", line)
        if name and re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", line) and name[0] != "zsad":
            found.append(name[0])
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
