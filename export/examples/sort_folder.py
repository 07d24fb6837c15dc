"""Sort a folder of images by how anomalous they are, without torch: ``python sort_folder.py model.onnx FOLDER``."""

import sys
from pathlib import Path

from zsad.errors import InputError
from zsad.runtime import OnnxDetector

detector = OnnxDetector(sys.argv[1])
paths = sorted(path for path in Path(sys.argv[2]).iterdir() if path.is_file())
results = detector.batch(paths, errors="return")  # a bad file does not stop the others
found = [result for result in results if not isinstance(result, InputError)]
for result in sorted(found, key=lambda result: -result.score):
    boxes = " ".join(str(region.box) for region in result.regions[:3])
    sys.stdout.write(f"{result.score:.3f}  {result.verdict or 'uncalibrated':12}  {result.name}  {boxes}\n")
for result in results:
    if isinstance(result, InputError):
        sys.stderr.write(f"{result}\n")
