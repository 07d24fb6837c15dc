"""An image explained: the regions of its map as evidence, in words and pictures; claims held against the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsad.errors import InputError
from zsad.language.align import Findings, map_findings, place
from zsad.language.align.claims import LEVELS
from zsad.language.asking import Picture
from zsad.language.explain import document
from zsad.language.explain.answers import Question, ask_all
from zsad.language.explain.evidence import Evidence
from zsad.language.explain.tasks import SET, presence
from zsad.language.explain.video import Explained
from zsad.language.gateway import Gateway
from zsad.language.parse import judgement, prose
from zsad.language.pictures import to_jpeg
from zsad.language.prompts import load_prompts
from zsad.language.spending import PICTURE_TOKENS
from zsad.outside import printable
from zsad.pictures.results import overlay_of

if TYPE_CHECKING:
    from PIL import Image

    from zsad.regions import Region
    from zsad.types import Result

MOST = 8
"""Regions that are told, the highest."""
CROPS, SURROUND, SMALLEST = 3, 0.6, 48
"""Regions that are shown by themselves; how much of their size is shown around them; pixels of a crop, at least."""
TITLES = {
    "part_judgement": "Is something unusual on it?",
    "part_description": "What is unusual, and where",
    "part_cause": "What may have caused it",
}


@dataclass(frozen=True)
class Seen:
    """A picture that is sent.

    Attributes:
        what: it shows, in words.
        picture: the file.
        box: of the image, for a crop.
    """

    what: str
    picture: Picture
    box: tuple[int, int, int, int] | None = None


def explain_part(
    gateway: Gateway, path: Path, result: Result, *, noun: str = "", asked: Sequence[str] = (), sha: str = ""
) -> Explained:
    """Ask what explains an image's map, and check every claim in the answers against the map.

    Args:
        gateway: the way to the model.
        path: the image.
        result: what a detector says of it; it holds the image.
        noun: what is inspected, in the user's words.
        asked: questions instead of the usual three.
        sha: SHA-256 of the image's file.

    Raises:
        EndpointError: the endpoint takes no question at all.
    """
    regions = list(result.regions[:MOST])
    seen, evidence = pictures(result, regions), evidence_of(result)
    shown: list[str | Picture] = []
    for one in seen:
        shown += [f"\n{one.what}:", one.picture]
    prompts = load_prompts(SET, {name: ["pictures", "regions"] for name in (*TITLES, "part_question")})
    told = in_words(result, regions)
    made = []
    for name, title in [(name, title) for name, title in TITLES.items() if not asked] + [
        ("part_question", text) for text in asked
    ]:
        more: dict[str, Any] = {"question": title} if name == "part_question" else {}
        ask = prompts[name].ask(sha[:12], pictures=shown, regions=told, object=noun or None, **more)
        form: dict[str, Any] = (
            {"parser": judgement, "makes": presence} if name == "part_judgement" else {"parser": prose}
        )
        made.append(Question(name.removeprefix("part_"), title, ask, wanted=prompts[name].wanted, **form))
    answers = ask_all(gateway, made, evidence)
    data = {
        **document.head(document.EXPLANATION), **_about(path, result, regions, seen, evidence, sha),
        "regions_told": told, "model": gateway.model, "object": noun, **document.closing(answers, gateway.counts),
    }  # fmt: skip
    return Explained(data, tuple(answers), {one.picture.sha: one.picture.load() for one in seen})


def steps_of(asked: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return step -> (calls, tokens of each, estimated)."""
    prompts = load_prompts(SET)
    each = 250 + PICTURE_TOKENS * (2 + CROPS)
    if asked:
        return {f"{SET}.part_question": (len(asked), each + prompts["part_question"].max_tokens)}
    return {f"{SET}.{name}": (1, each + prompts[name].max_tokens) for name in TITLES}


def evidence_of(result: Result) -> Evidence:
    """Return what a result says: whether anything is anomalous, where, how many regions, how high the map is.

    Without a threshold whether anything is anomalous is not known, nor how many regions there are: those that are
    drawn then are a hint.
    """
    never = 2.0  # above any value of a map
    found = map_findings(result.counted, never if result.level is None else result.level)
    verdict = result.verdict
    pixel = result.thresholds.pixel is not None
    known = None if verdict is None else verdict == "anomalous"
    counts = {"region": len(result.regions)} if pixel else None
    places = tuple(_place(region, result) for region in result.regions[:MOST])
    several = Findings(anomaly=known, counts=counts, row=found.row, col=found.col, peak=found.peak)
    return Evidence(several, places, regions=True)


def in_words(result: Result, regions: Sequence[Region]) -> str:
    """Return the regions of a map for a prompt: place, size, highest value and its level."""
    height, width = result.map.shape
    verdict = result.verdict or "no verdict, since no threshold is set"
    told = [f"Score of the whole image {result.score:.2f}, of 0 to 1; {verdict}."]
    for i, region in enumerate(regions, 1):
        row, col = _place(region, result)
        x0, y0, x1, y1 = region.box
        share = 100 * region.area / (height * width)
        told.append(f"Region {i}: {row} {col}, {x1 - x0} x {y1 - y0} of {width} x {height} pixels ({share:.2g} % of "
                    f"the image), highest value {region.score:.2f}, {severity(region.score)} severity.")  # fmt: skip
    if not regions:
        told.append("No region stands out.")
    if len(result.regions) > len(regions):
        told.append(f"{len(result.regions) - len(regions)} more regions are lower than these.")
    return "\n".join(told)


def severity(value: float) -> str:
    """Return the level of a map's value, as claims of severity are checked.

    >>> severity(0.2), severity(0.5), severity(0.9)
    ('low', 'moderate', 'high')
    """
    return list(LEVELS)[0 if value < 0.4 else 1 if value < 0.7 else 2]


def pictures(result: Result, regions: Sequence[Region]) -> list[Seen]:
    """Return what is sent: the image, the image with its heat, and its highest regions by themselves."""
    image = _image(result)
    seen = [
        Seen("The image", Picture.of(to_jpeg(image))),
        Seen(
            "The same with heat where a detector sees something, regions numbered",
            Picture.of(to_jpeg(overlay_of(result, image, legend=False))),
        ),
    ]
    for i, region in enumerate(regions[:CROPS], 1):
        box = around(region.box, image.size)
        seen.append(Seen(f"Region {i} by itself", Picture.of(to_jpeg(image.crop(box))), box))
    return seen


def around(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a box with some surroundings, inside of the image.

    >>> around((10, 10, 20, 12), (200, 100))
    (0, 0, 39, 35)
    """
    x0, y0, x1, y1 = box
    wide, high = (max(SMALLEST, (1 + 2 * SURROUND) * (end - start)) for start, end in ((x0, x1), (y0, y1)))
    left, top = (x0 + x1 - wide) / 2, (y0 + y1 - high) / 2
    return (max(0, int(left)), max(0, int(top)), min(size[0], int(left + wide)), min(size[1], int(top + high)))


def _about(
    path: Path, result: Result, regions: Sequence[Region], seen: Sequence[Seen], evidence: Evidence, sha: str
) -> dict[str, Any]:
    height, width = result.map.shape
    thresholds = result.thresholds
    return {
        "image": {"name": printable(path.name), "path": printable(path), "width": width, "height": height,
                  "sha256": sha},
        "detector": {
            "model": result.model, "score": result.score, "verdict": result.verdict, "level": result.level,
            "thresholds": {"image": thresholds.image, "pixel": thresholds.pixel, "min_area": thresholds.min_area,
                           "source": thresholds.source},
        },
        "regions": [
            {"box": list(region.box), "area": region.area, "score": region.score, "place": list(_place(region, result))}
            for region in regions
        ],
        "pictures": [
            {"what": one.what, "sha256": one.picture.sha, "box": list(one.box) if one.box else None} for one in seen
        ],
        "found": evidence.to_dict(),
    }  # fmt: skip


def _place(region: Region, result: Result) -> tuple[str, str]:
    height, width = result.map.shape
    x, y = region.centroid
    return place((x + 0.5) / width, (y + 0.5) / height)


def _image(result: Result) -> Image.Image:
    if result.image is None:
        raise InputError(f"{printable(result.name)}: the detector keeps no image to send")
    return result.image.convert("RGB")
