"""The command line: one file per noun; imports inside the functions, so that ``--help`` is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zsad.errors import ConfigError, Terminated, UsageError, ZsadError
from zsad.outside import terminal as as_shown  # the plain name is that of a module beside this one
from zsad.terminal import BROKEN_PIPE, FAILED, INTERRUPTED, leave_output, refusal, run, say

_EXAMPLES = """
Zero-shot anomaly segmentation: an image in, a heatmap out, no example needed.

[bold]Examples[/bold]

  [cyan]zsad detect examples/ --out out/[/cyan]       heatmaps and out/report.html
  [cyan]zsad detect part.png --threshold 0.6[/cyan]   one image, own threshold
  [cyan]zsad detect board.tif --tile auto[/cyan]      a large image, whole and in tiles
  [cyan]zsad models[/cyan]                            what can be loaded
  [cyan]zsad info[/cyan]                              what this machine has or lacks
"""
_IMPORT = """[bold]Examples[/bold]

[cyan]zsad import-prompt anomalyclip:visa[/cyan]

[cyan]zsad import-prompt epoch_15.pth --out prompts/[/cyan]

[cyan]zsad detect parts/ --model ViT-L-14-336/openai --prompt anomalyclip:visa[/cyan]"""
_TRAIN = """[bold]Examples[/bold]

[cyan]zsad train --data visa:/data/VisA --backbone ViT-L-14-336/openai --out run/[/cyan]

[cyan]zsad train --data normals:good_parts/ --backbone timm:vit_base_patch14_reg4_dinov2.lvd142m --out run/[/cyan]

[cyan]zsad detect parts/ --model ViT-L-14-336/openai --prompt run/[/cyan]"""
_EXPORT = """[bold]Examples[/bold]

[cyan]zsad export --model ViT-L-14-336/openai --prompt industrial --out clip.onnx[/cyan]

[cyan]zsad export --model ViT-B-16/openai --prompt run/ --fp16-weights --out small.onnx[/cyan]

[cyan]zsad export --model clip.onnx --triton repository/[/cyan]

[cyan]zsad detect parts/ --model clip.onnx[/cyan]"""
_BENCH = """Measure quality and speed as suites, for tables that can be repeated.

[bold]Examples[/bold]

  [cyan]zsad bench speed[/cyan]                                                       of the bundled model
  [cyan]zsad bench quality benchmarks/suites/bundled.yaml --data-root /data[/cyan]    over many datasets
"""
_DATA = """Public datasets: which are known, and whether a copy is whole.

[bold]Examples[/bold]

  [cyan]zsad data list[/cyan]                       what is known
  [cyan]zsad data check visa /data/VisA[/cyan]      whether a folder is that dataset
"""
_USE, _MAKE, _MEASURE = "Use", "Make models and prompts", "Measure"
WRONG_USAGE = 2


class _Commands(TyperGroup):
    """Turns every error into one line and an exit code; a person never sees a traceback."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        try:
            return super().make_context(*arguments, **more)
        except Exception as error:
            _shown_safely(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            with _only_our_words():
                return super().invoke(ctx)
        except (UsageError, ConfigError) as error:
            say(error)
            raise SystemExit(WRONG_USAGE) from None
        except ZsadError as error:
            say(error)
            raise SystemExit(FAILED) from None
        except Terminated as ending:
            say("terminated")
            raise SystemExit(ending.exit_code) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output has left; so do we, without a complaint at exit.
            leave_output()
            raise SystemExit(BROKEN_PIPE) from None
        except MemoryError:
            say("out of memory; give fewer or smaller images, or --batch-size 1")
            raise SystemExit(FAILED) from None
        except OSError as error:
            if os.environ.get("ZSAD_TRACEBACK"):
                raise
            say(refusal(error))
            leave_output() if error.filename is None else None
            raise SystemExit(FAILED) from None
        except Exception as error:
            _shown_safely(error)
            if os.environ.get("ZSAD_TRACEBACK") or not _ordinary(error):
                raise
            where = _place(error)
            say(f"unexpected {type(error).__name__} in {where}: {error}; ZSAD_TRACEBACK=1 shows where it comes from")
            raise SystemExit(FAILED) from None


def _shown_safely(error: Exception) -> None:
    """Make the message of a wrong command line, which repeats the line, one that a terminal only shows."""
    if isinstance(message := getattr(error, "message", None), str):
        error.message = as_shown(message)  # type: ignore[attr-defined]


@contextmanager
def _only_our_words() -> Iterator[None]:
    """Keep the log lines of libraries off the screen: what matters of them is in our own line."""
    import logging

    before = logging.root.manager.disable
    if not os.environ.get("ZSAD_TRACEBACK"):
        logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _ordinary(error: Exception) -> bool:
    """Whether an error is none of the command line's own signals (usage, exit, abort)."""
    return not hasattr(error, "exit_code") and type(error).__name__ != "Abort"


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace is not None else "?"


app = typer.Typer(
    cls=_Commands,
    help=_EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from zsad import __version__

        typer.echo(f"zsad {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    # A name that the terminal can't show is printed as an escape, not as a crash.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


_Functions = dict[str, Callable[..., None]]


def _register() -> None:
    """Attach every command; its module says no more than its options, and imports the rest when it runs."""
    from zsad.cli import (
        batch,
        bench,
        calibrate,
        data,
        detect,
        eval,
        explain,
        export,
        fit,
        import_prompt,
        info,
        language,
        line,
        models,
        train,
        video,
    )

    app.command("detect", rich_help_panel=_USE)(detect.detect)
    app.command("batch", rich_help_panel=_USE)(batch.batch)
    app.command("calibrate", rich_help_panel=_USE)(calibrate.calibrate)
    app.command("explain", rich_help_panel=_USE)(explain.explain)
    app.command("models", rich_help_panel=_USE)(models.models)
    app.command("info", rich_help_panel=_USE)(info.info)
    app.command("import-prompt", rich_help_panel=_MAKE, epilog=_IMPORT)(import_prompt.import_prompt)
    app.command("fit", rich_help_panel=_MAKE)(fit.fit)
    app.command("train", rich_help_panel=_MAKE, epilog=_TRAIN)(train.train)
    app.command("export", rich_help_panel=_MAKE, epilog=_EXPORT)(export.export)
    app.command("eval", rich_help_panel=_MEASURE)(eval.eval)
    benches: _Functions = {"quality": bench.bench_quality, "speed": bench.bench_speed, "merge": bench.bench_merge}
    _group("bench", _BENCH, benches)
    lists: _Functions = {"list": data.data_list, "check": data.data_check}
    _group("data", _DATA, lists)
    for group in (line, video, language):
        _group(group.__name__.rpartition(".")[2], group.HELP, _functions(group.__name__, group.COMMANDS), _USE)


def _functions(package: str, commands: dict[str, str]) -> _Functions:
    """Return the functions of a group's commands, each given as ``module:function`` below its package."""
    found = {}
    for name, place in commands.items():
        module, function = place.split(":")
        found[name] = getattr(import_module(f"{package}.{module}"), function)
    return found


def _group(name: str, what: str, commands: _Functions, panel: str = _MEASURE) -> None:
    group = typer.Typer(help=what, no_args_is_help=True, rich_markup_mode="rich")
    for command, function in commands.items():
        group.command(command)(function)
    app.add_typer(group, name=name, rich_help_panel=panel)


_register()


def main() -> None:
    """Run the command line; the entry point of ``zsad``."""
    raise SystemExit(run(app))
