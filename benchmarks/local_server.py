"""A real server to try the gateway with: a small vision-language model of random weights behind `transformers serve`.

    python -m venv serve && serve/bin/pip install "transformers[serving]" torch torchvision pillow
    serve/bin/python benchmarks/local_server.py make model       # writes the model's folder, prints the next lines
    serve/bin/transformers serve "$PWD/model" --device cpu --port 8123
    python benchmarks/local_server.py try http://127.0.0.1:8123/v1 --llm "$PWD/model" --server "transformers 5.24.0"

Nothing is downloaded but the packages: weights are drawn from a seed, and the tokenizer is made of the words below.
What the model says means nothing; that its requests, pictures, seeds and counts of tokens are those of a real server
does. It has the build of Qwen2-VL, with two layers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent

WORDS = """A frame of a video shows a street, a yard, a gate, a person, a van, smoke, fire. Is anything anomalous,
unusual or normal here? Yes. No. Output: 0 1 [0.0] [0.1] [0.2] [0.5] [0.8] [1.0] score the window between 0 and 1"""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
           "<|video_pad|>")  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] in ('image', 'image_url') %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> Any:
    """Return a byte-level tokenizer of the words above: any text can be said with it."""
    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), special_tokens=list(SPECIAL)
    )
    model.train_from_iterator([WORDS], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, eos_token=SPECIAL[2], pad_token=SPECIAL[0], additional_special_tokens=list(SPECIAL[3:]),
        chat_template=TEMPLATE,
    )  # fmt: skip


def make(folder: Path) -> int:
    """Write the model's folder; return the number of its weights."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    words = tokenizer()
    ids = {name: words.convert_tokens_to_ids(name) for name in SPECIAL}
    text = {
        "vocab_size": len(words), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        "bos_token_id": ids[SPECIAL[0]], "eos_token_id": ids[SPECIAL[2]], "pad_token_id": ids[SPECIAL[0]],
    }  # fmt: skip
    vision = {"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    config = transformers.Qwen2VLConfig(
        text_config=text, vision_config=vision, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.Qwen2VLForConditionalGeneration(config)
    pictures = transformers.Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112)
    videos = transformers.Qwen2VLVideoProcessor(min_pixels=56 * 56, max_pixels=112 * 112)
    transformers.Qwen2VLProcessor(pictures, words, videos, chat_template=TEMPLATE).save_pretrained(folder)
    model.save_pretrained(folder)
    return int(model.num_parameters())


def video(folder: Path) -> Path:
    """Write a folder of frames in which something red crosses, and something white appears."""
    folder.mkdir()
    for i in range(64):
        image = Image.new("RGB", (160, 120), (90, 100, 90))
        drawn = ImageDraw.Draw(image)
        drawn.rectangle([2 * i, 50, 2 * i + 20, 80], fill=(200, 40, 30))
        if 30 < i < 45:
            drawn.ellipse([60, 10, 110, 60], fill=(230, 230, 230))
        image.save(folder / f"{i:04d}.png")
    return folder


def tried(url: str, llm: str) -> dict[str, Any]:
    """Run the commands that ask against a server; return exit codes and counts as they were."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        environment = os.environ | {"ZSAD_HOME": str(place / "home")}

        def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "zsad", *map(str, arguments)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)

        checked = run("language", "check", url, "--llm", llm, "--json")
        rows = json.loads(checked.stdout)["checks"] if checked.stdout else []
        found["check"] = {"exit": checked.returncode, **{row["what"]: row["works"] for row in rows}}
        yard = video(place / "yard")
        where = ("--endpoint", url, "--llm", llm, "--folder-fps", "8")
        for turn in ("ask", "ask, second run"):
            record = place / f"{turn}.jsonl"
            done = run("video", "score", yard, "--method", "ask", *where, "--out", place / turn, "--record", record)
            lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
            counts = re.search(r"ask\.window +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", done.stderr + done.stdout)
            names = ("cached", "sent", "failed", "reasked", "unparsed")
            found[turn] = {"exit": done.returncode, "answers": len(lines),
                           **(dict(zip(names, map(int, counts.groups()), strict=True)) if counts else {})}  # fmt: skip
        run("video", "score", yard, "--method", "motion", "--folder-fps", "8", "--out", place / "motion", "--no-video")
        scores = place / "motion" / "yard" / "scores.json"
        for turn in ("explain", "explain, second run"):
            done = run("video", "explain", yard, "--scores", scores, *where, "--out", place / "explained")
            calls = re.search(r"calls: (\d+) sent, (\d+) kept", done.stdout + done.stderr)
            found[turn] = {"exit": done.returncode, **({"sent": int(calls[1]), "kept": int(calls[2])} if calls else {})}
    return found


def main(arguments: list[str] | None = None) -> int:
    """Make the model, or try a server; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parts = parser.add_subparsers(dest="what", required=True)
    making, trying = parts.add_parser("make"), parts.add_parser("try")
    making.add_argument("folder", type=Path)
    trying.add_argument("url")
    trying.add_argument("--llm", required=True)
    trying.add_argument("--server", required=True, help="what serves, with its version")
    trying.add_argument("--json", type=Path, default=HERE / "results" / "local_server.json")
    options = parser.parse_args(arguments)
    if options.what == "make":
        weights, place = make(options.folder), options.folder.resolve()
        print(f"{place}: {weights:,} random weights")
        print(f"{Path(sys.executable).with_name('transformers')} serve {place} --device cpu --port 8123")
        return 0
    from zsad.suites import record

    found = tried(options.url, options.llm)
    print(json.dumps(found, indent=2))
    data = {"benchmark": "local_server", "server": options.server, "model": "Qwen2-VL of two layers, random weights",
            "commands": found, "commit": record.commit(HERE), "versions": record.versions(),
            "hardware": record.hardware()}  # fmt: skip
    options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return 0 if found["check"].get("text") and found["ask, second run"].get("sent") == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
