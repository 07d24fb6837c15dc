"""Text and files from outside at the command line: shown, never obeyed; refused in one line; nothing goes around."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from markdown_it import MarkdownIt
from PIL import Image
from rich.text import Text
from safetensors.numpy import save_file
from typer.testing import CliRunner

import zsad
from tests.fakes import BrightDetector, write_class
from zsad.card import CARD_KEY, ModelCard
from zsad.cli import bench, eval, models
from zsad.cli.terminal import Terminal, field, heading, table
from zsad.errors import OutputError

ROOT = Path(zsad.__file__).parent
EVIL = ["[/red]", "[link=http://evil]x[/link]", "\x1b[31mred", "a|b", "<script>alert(1)</script>", "\u202egnp", ":ok:"]
runner = CliRunner()


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    app.command("other")(lambda: None)
    return runner.invoke(app, [command.__name__.replace("_", "-"), *map(str, arguments)])


def python(*arguments, **options):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output="stdout" not in options, check=False, timeout=120, **options)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A CSV list whose classes are markup, control characters and HTML."""
    monkeypatch.setattr(zsad, "load", lambda *a, **k: BrightDetector(), raising=False)
    rows = ["image,label,class"]
    for i, name in enumerate(EVIL):
        write_class(tmp_path / str(i), seed=i)
        for path in sorted((tmp_path / str(i) / "test").rglob("*.png")):
            quoted = name.replace('"', '""')
            rows.append(f'{path.relative_to(tmp_path)},{int(path.parent.name != "good")},"{quoted}"')
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_classes_of_a_list_are_shown_as_they_are_written(listed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = run(eval.eval, "--data", f"csv:{listed / 'list.csv'}")
    assert done.exit_code == 0, done.output
    assert harmless(done.output)
    for name in ("[/red]", "[link=http://evil]x[/link]", "\\x1b[31mred", "a|b", "<script>", "\\u202egnp", ":ok:"):
        assert name in done.stdout


def test_a_benchmark_writes_them_into_markdown_and_html_as_text(listed):
    (listed / "s.yaml").write_text(
        "name: s\ntitle: '[a](javascript:b) <b>'\nruns: [{name: r, note: '# <i>', "
        "entries: [{key: k, layout: csv, path: list.csv}]}]"
    )
    out = listed / "out"
    done = run(bench.bench_quality, listed / "s.yaml", "--data-root", listed, "--out", out)
    assert done.exit_code == 0, done.output
    text = (out / "README.md").read_text(encoding="utf-8")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert harmless(text) and harmless(page)
    assert "<script>alert" not in text + page and "<i>" not in text + page and "&lt;script&gt;alert" in page
    tokens = [
        t for token in MarkdownIt("commonmark").enable("table").parse(text) for t in (token, *(token.children or ()))
    ]
    assert not [token for token in tokens if token.type in ("link_open", "image", "html_inline", "em_open")]
    assert {token.content.strip() for token in tokens if token.type == "html_block"} <= {
        "<!-- written by zsad -->", "<details><summary>k by class</summary>", "</details>"
    }  # fmt: skip


def write_prompt(path, **card):
    vectors = np.eye(2, 8, dtype=np.float32)
    text = ModelCard.of(embed_dim=8, **card).to_json()
    save_file({"vectors.image": vectors, "vectors.pixel": vectors[None]}, path, metadata={CARD_KEY: text})


def test_models_shows_cards_and_bad_files_in_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    folder = tmp_path / "prompts"
    folder.mkdir()
    write_prompt(folder / "evil.safetensors", prompt="\x1b]8;;http://evil\x07[red]x", training_data="a[/b]\x1b[2J")
    (folder / "folder.yaml").mkdir()
    (folder / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    (folder / "list.yaml").write_text("[1, 2]")
    (folder / "deep.yaml").write_text("[" * 3000)
    (folder / "kind.yaml").write_text("kind: [1]")
    (folder / "odd name \x1b.yaml").write_text("kind: bank")
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "json.safetensors").write_bytes((2**40).to_bytes(8, "little") + b"{")
    save_file({"vectors.pixel": np.zeros((0, 2, 8), "f4"), "vectors.image": np.eye(2, 8, dtype="f4")},
              folder / "zero.safetensors", metadata={CARD_KEY: ModelCard.of(embed_dim=8).to_json()})  # fmt: skip
    done = run(models.models)
    assert done.exit_code == 0, done.output
    assert harmless(done.output) and "[red]x" in done.output and "industrial" in done.output
    lines = done.output.splitlines()
    for name in ("folder", "gone", "list", "deep", "kind", "odd name \\x1b", "empty", "json", "zero"):
        assert any(line.split("  ")[0].strip() == name and "unreadable" in line for line in lines), name


def test_the_terminal_has_no_markup_of_its_own(capsys):
    console = Terminal()
    console.print("[bold]a[/bold] :smile: \x1b[31m", Text("[/x]\x1b]0;t"))
    shown = table("name", title=heading("[/b]\x1b", "rest [/c]"))
    shown.add_row("[link=x]y[/link]\x1b[2J")
    console.print(shown)
    out = capsys.readouterr().out
    assert harmless(out)
    for text in (
        "[bold]a[/bold] :smile: \\x1b[31m",
        "[/x]\\x1b]0;t",
        "[/b]\\x1b  rest [/c]",
        "[link=x]y[/link]\\x1b[2J",
    ):
        assert text in out
    assert field("{task.description}").markup is False


def test_a_full_or_closed_output_is_one_line_and_no_traceback():
    with Path("/dev/full").open("w") as full:
        done = python("zsad", "models", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"No space left" in done.stderr
    for redirect, code, lines in ((">&-", 1, 1), ("2>&-", 0, 0), (">/dev/full 2>/dev/full", 1, 0)):
        shell = f'"{sys.executable}" -m zsad data list --json {redirect}'
        done = subprocess.run(shell, shell=True, capture_output=True, timeout=120, check=False)
        assert (done.returncode, done.stderr.count(b"\n")) == (code, lines), (redirect, done.stderr)
    shell = f'"{sys.executable}" -m zsad detect nothere.png 2>&-'
    assert subprocess.run(shell, shell=True, stdout=subprocess.DEVNULL, timeout=120, check=False).returncode == 2


def test_a_refused_write_to_the_screen_is_an_error_with_a_name(monkeypatch):
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

        def fileno(self):
            raise OSError

        def isatty(self):
            return False

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputError, match="standard output"):
        Terminal().print("x")
    monkeypatch.setattr(sys, "stderr", Full())
    Terminal(stderr=True).print("x")


LONG = [
    "detect {}.png", "detect --model {}.onnx a.png", "detect --model {} a.png", "detect --prompt {} a.png",
    "detect --prompt {}.yaml a.png", "detect --json {} a.png", "detect --csv {} a.png", "detect --out {} a.png",
    "detect --thresholds {} a.png", "eval --data csv:{}", "eval --data mvtec:{}", "bench quality {}.yaml",
    "data check visa {}",
]  # fmt: skip


@pytest.mark.parametrize("arguments", LONG)
def test_names_that_no_file_can_have(tmp_path, monkeypatch, arguments):
    from zsad.cli import app

    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("a.png")
    done = runner.invoke(app, arguments.replace("{}", "x" * 300).split())
    assert done.exit_code in (1, 2) and not isinstance(done.exception, OSError), done.exception
    told = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(told) == 1 and "Traceback" not in done.output, done.output
    assert [path.name for path in Path().iterdir()] == ["a.png"]


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            yield node, owner, name


ALLOWED = {
    ("cli/terminal.py", "TextColumn"), ("terminal.py", "print"), ("config.py", "safe_dump"),
    ("documents/reading.py", "loads"),
}  # fmt: skip


def test_nothing_goes_around_the_doors():
    """No document is parsed, no console made and no line printed but in the modules whose task that is."""
    around = []
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for node, owner, name in calls(ast.parse(path.read_text(encoding="utf-8"))):
            parses = name in ("load", "loads", "safe_load", "compose") and owner in ("json", "jsonlib", "yaml")
            shows = (name == "print" and not owner) or name in ("Console", "TextColumn", "from_markup", "rprint")
            marks = any(
                word.arg in ("markup", "emoji") and getattr(word.value, "value", True) for word in node.keywords
            )
            pickles = owner in ("pickle", "marshal", "shelve", "dill", "joblib") or (
                owner == "yaml" and name != "safe_dump"
            )
            if (parses or shows or marks or pickles) and (where, name) not in ALLOWED:
                around.append(f"{where}:{node.lineno} {owner}.{name}")
    assert around == []


def test_the_look_for_ways_around_finds_them():
    source = "import json, yaml\njson.loads(x)\nyaml.safe_load(x)\nprint(x)\nConsole()\n"
    assert [name for _, _, name in calls(ast.parse(source))] == ["loads", "safe_load", "print", "Console"]
