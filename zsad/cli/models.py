"""``zsad models``: what can be loaded, which prompts fit, what is there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

# What --model takes, and its repository; the first is what the method was published with.
_SELECTION = (
    ("ViT-L-14-336/openai", "timm/vit_large_patch14_clip_336.openai"),
    ("ViT-L-14/openai", "timm/vit_large_patch14_clip_224.openai"),
    ("ViT-B-16/openai", "timm/vit_base_patch16_clip_224.openai"),
    ("ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai"),
    ("ViT-L-14/dfn2b_s39b", "apple/DFN2B-CLIP-ViT-L-14-39B"),
    ("timm:vit_large_patch14_reg4_dinov2.lvd142m", "timm/vit_large_patch14_reg4_dinov2.lvd142m"),
    ("timm:vit_base_patch14_reg4_dinov2.lvd142m", "timm/vit_base_patch14_reg4_dinov2.lvd142m"),
    ("timm:vit_large_patch16_dinov3.lvd1689m", "timm/vit_large_patch16_dinov3.lvd1689m"),
)


def models(
    find: Annotated[
        str, typer.Argument(metavar="NAME", help="Part of a name, such as dinov2.", show_default=False)
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="List every ViT that open_clip and timm have weights for.")
    ] = False,
) -> None:
    """List what can be loaded, which prompts fit, and what is downloaded already.

    [bold]Examples[/bold]

      [cyan]zsad models[/cyan]            bundled model, some backbones, prompts
      [cyan]zsad models --all[/cyan]      everything that has weights
      [cyan]zsad models dinov2[/cyan]     of those, what has dinov2 in its name
    """
    from importlib.util import find_spec

    from rich.console import Console

    from zsad.errors import MissingExtraError, UsageError

    console, prompts = Console(soft_wrap=True), _prompts()
    torch = all(find_spec(package) for package in ("torch", "open_clip", "timm"))
    if not everything and not find:
        _files(console)
        _backbones(console, _SELECTION, prompts, "Backbones through torch: a selection, --all lists every one")
        if not torch:
            console.print("  They need the torch extra: pip install 'zsad[torch]'", style="yellow", markup=False)
        _prompt_table(console, prompts)
        console.print(_FORMS, highlight=False)
        return
    if not torch:
        raise MissingExtraError("the full list, which comes from open_clip and timm,", "torch")
    from zsad.backbone.survey import known_models

    found = [model for model in known_models() if find.lower() in model[0].lower()]
    if not found:
        raise UsageError(f"no backbone has {find!r} in its name; zsad models --all lists them")
    _backbones(console, found, prompts, f"{len(found)} backbones")


_FORMS = """[bold]--model takes[/bold]
  a name of these lists                ViT-L-14-336/openai, timm:vit_base_patch14_dinov2.lvd142m
  an exported file                     model.onnx         (zsad export writes one)
  weights in OpenAI's CLIP layout      clip.safetensors, ViT-L-14-336px.pt
  open_clip's hub and folder forms     hf-hub:ORG/REPO, local-dir:PATH
  a name and own weights               ViT-L-14/weights.safetensors"""


@dataclass(frozen=True)
class _Prompt:
    """A prompt that can be found: name, kind, the backbone that it fits, what it is for."""

    name: str
    kind: str
    fits: str
    about: str


def _prompts() -> list[_Prompt]:
    import yaml

    from zsad import paths
    from zsad.errors import ZsadError
    from zsad.prompt.store import load_prompt

    found = []
    for name in paths.prompt_names():
        path = paths.find_prompt(name)
        try:
            if path.suffix == ".yaml":
                data = yaml.safe_load(path.read_text(encoding="utf-8"))
                if data.get("kind") == "bank":
                    found.append(_Prompt(name, "bank", "any CLIP", _sentence(str(data.get("description", "")))))
            else:
                card = load_prompt(path).card
                kind = "trained" if card.scoring.head == "prompt" else "trained, no text"
                origin = card.provenance
                shown = card.scoring.prompt or name
                found.append(_Prompt(shown, kind, origin.backbone, _sentence(origin.training_data)))
        except (ZsadError, OSError, ValueError, AttributeError) as error:
            found.append(_Prompt(name, "unreadable", "-", str(error)))
    return found


def _files(console: Console) -> None:
    from zsad import paths
    from zsad.errors import ModelError, printable

    rows = []
    try:
        size = paths.asset("tiny.onnx").stat().st_size
        rows.append(["tiny", f"bundled, {size / 1e6:.1f} MB", "the default: zsad detect PATH"])
    except ModelError:
        rows.append(["tiny", "missing", "install zsad again"])
    here = sorted(Path().glob("*.onnx"))
    rows += [[printable(path), f"{path.stat().st_size / 1e6:.1f} MB", "in this folder"] for path in here]
    _table(console, "Models that run without torch", ["model", "size", ""], rows)


def _backbones(
    console: Console, known: tuple[tuple[str, str], ...] | list[tuple[str, str]], prompts: list[_Prompt], title: str
) -> None:
    banks = "banks" if any(prompt.kind == "bank" for prompt in prompts) else ""
    rows = []
    for name, repo in known:
        fitting = [prompt.name for prompt in prompts if prompt.fits == name]
        if not name.startswith("timm:"):
            fitting.insert(0, banks)
        rows.append([name, "yes" if _downloaded(repo) else "-", ", ".join(filter(None, fitting)) or "train one"])
    _table(console, title, ["model", "downloaded", "prompts that fit"], rows)


def _prompt_table(console: Console, prompts: list[_Prompt]) -> None:
    rows = [[prompt.name, prompt.kind, prompt.fits, prompt.about] for prompt in prompts]
    _table(console, "Prompts", ["prompt", "kind", "fits", "what it is"], rows)


def _table(console: Console, title: str, heads: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _downloaded(repo: str) -> bool:
    """Whether the hub's cache has weights of a repository; asks no server."""
    from huggingface_hub import constants

    if not repo:
        return False
    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"
    weights = (".safetensors", ".bin", ".pt")
    return folder.is_dir() and any(path.suffix in weights for path in folder.glob("*/*"))


def _sentence(text: str) -> str:
    first = " ".join(text.split()).partition(". ")[0].removesuffix(".")
    return first if len(first) <= 90 else first[:87] + "..."
