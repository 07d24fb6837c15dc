"""The public datasets as rows of data: what is in them, how they lie on disk, where to get them, what is defined.

Nothing is downloaded: licences differ, and most sets ask for a form or forbid redistribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from zsad.data import forms, forms_surface
from zsad.data.files import Report
from zsad.data.layouts import Layout
from zsad.data.lists import meta_json
from zsad.data.masks import JPEG_THRESHOLD
from zsad.errors import DatasetError
from zsad.types import Sample

BOTH = ("image", "pixel")
MVTEC_CLASSES = (
    "bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw", "tile",
    "toothbrush", "transistor", "wood", "zipper",
)  # fmt: skip
VISA_CLASSES = (
    "candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2", "pcb1", "pcb2", "pcb3", "pcb4",
    "pipe_fryum",
)  # fmt: skip
DTD_CLASSES = (
    "Woven_001", "Woven_127", "Woven_104", "Stratified_154", "Blotchy_099", "Woven_068", "Woven_125", "Marbled_078",
    "Perforated_037", "Mesh_114", "Fibrous_183", "Matted_069",
)  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """Images of the test set.

    Attributes:
        normal: number of normal images.
        anomalous: number of anomalous images.
        source: where the numbers come from.
        verified: whether they were counted in the data itself; an unverified count never fails a check.
    """

    normal: int
    anomalous: int
    source: str
    verified: bool = False


@dataclass(frozen=True)
class Dataset:
    """One public dataset.

    Attributes:
        name: what commands call it; never the name of a layout.
        title: what papers call it.
        form: reads its original form on disk.
        classes: the classes that metrics are averaged over.
        split: which images are tested, in words.
        counts: size of the test set, or None if unknown.
        licence: of the data, with ``unverified`` where the terms themselves were not read.
        where: where to get it.
        metrics: which of ``"image"`` and ``"pixel"`` are defined.
        domain: ``"industrial"``, ``"medical"``, ``"surface"`` or ``"surveillance"``.
        form_note: what could not be verified about the form, or ``""``.
        suite: whether it is one of the 17 sets of the published zero-shot tables.
    """

    name: str
    title: str
    form: Layout
    classes: tuple[str, ...]
    split: str
    counts: Counts | None
    licence: str
    where: str
    metrics: tuple[str, ...] = BOTH
    domain: str = "industrial"
    form_note: str = "form as described by AnomalyCLIP's scripts; not checked against the archive"
    suite: bool = True

    def read(self, root: Path, report: Report) -> list[Sample]:
        """Read the test set; where the original form is absent, from AnomalyCLIP's ``meta.json``.

        Raises:
            DatasetError: neither is there.
        """
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder")
        try:
            samples = self.form(root, report)
        except DatasetError:
            if not (root / "meta.json").is_file():
                raise
            report.notes.append("read from meta.json, since the original form was not found")
            samples = meta_json(root, report)
        found = {sample.class_name for sample in samples}
        for name in self.classes:
            if name not in found:
                report.problem(root, f"class {name!r} is absent")
        for name in sorted(found - set(self.classes)):
            report.notes.append(f"class {name!r} is not one of the published classes")
        return [replace(sample, dataset=self.name) for sample in samples]


_SUMMARY = "a public summary of the paper"
_MEMORY = "the AnomalyCLIP paper's appendix, not looked up"
_MVTEC_RULE = "test/: folder good is normal, every other folder a kind of defect"
_ALL_ANOMALOUS = "all images, all anomalous"

_ROWS = (
    Dataset(
        "mvtec-ad", "MVTec AD", forms.mvtec_form(), MVTEC_CLASSES, _MVTEC_RULE, Counts(467, 1258, _SUMMARY),
        "CC BY-NC-SA 4.0", "https://www.mvtec.com/company/research/datasets/mvtec-ad",
        form_note="checked on the class screw",
    ),
    Dataset(
        "visa", "VisA", forms.visa, VISA_CLASSES, "split_csv/1cls.csv, rows of split test",
        Counts(962, 1200, "1cls.csv, by a third party"), "CC BY 4.0 (unverified)",
        "https://github.com/amazon-science/spot-diff",
    ),
    Dataset(
        "mpdd", "MPDD", forms.mvtec_form(),
        ("bracket_black", "bracket_brown", "bracket_white", "connector", "metal_plate", "tubes"), _MVTEC_RULE,
        Counts(176, 282, _MEMORY), "CC BY-NC-SA 4.0 (unverified)", "https://github.com/stepanje/MPDD",
    ),
    Dataset(
        "btad", "BTAD", forms.mvtec_form("BTech_Dataset_transformed", normal=("ok",)), ("01", "02", "03"),
        "test/: folder ok is normal, ko anomalous", Counts(451, 290, _MEMORY), "CC BY-NC-SA 4.0 (unverified)",
        "https://github.com/pankajmishra000/VT-ADL",
    ),
    Dataset(
        "ksdd", "KolektorSDD", forms.kolektor_sdd, ("electrical commutators",),
        "converted: test/ in the MVTec form; as downloaded: all images",
        Counts(181, 74, "AnomalyCLIP issue 19, the authors' own conversion"), "CC BY-NC-SA 4.0 (unverified)",
        "https://www.vicos.si/resources/kolektorsdd/",
        form_note="published figures use the authors' own conversion; a fresh one gave 286 + 54 images",
    ),
    Dataset(
        "dagm", "DAGM 2007", forms.dagm, tuple(f"Class{i}" for i in range(1, 11)),
        "Test/ of each class; anomalous if a mask exists", Counts(6996, 1054, _MEMORY), "none stated (unverified)",
        "https://www.kaggle.com/datasets/mhskjelvareid/dagm-2007-competition-dataset-optical-inspection",
    ),
    Dataset(
        "dtd-synthetic", "DTD-Synthetic", forms.mvtec_form(), DTD_CLASSES, _MVTEC_RULE, Counts(357, 947, _MEMORY),
        "research only (unverified)", "https://github.com/zqhang/AnomalyCLIP (link in its README)",
        form_note="users report downloads that don't fit the described form (AnomalyCLIP issue 45)",
    ),
    Dataset(
        "isic", "ISIC 2016", forms.isic, ("skin",), "test folder; everything but good is anomalous",
        Counts(0, 379, _MEMORY), "CC0 (unverified)", "https://challenge.isic-archive.com/data/#2016", ("pixel",),
        "medical",
    ),
    Dataset(
        "cvc-colondb", "CVC-ColonDB", forms.image_mask_form("images", "masks", "colon"), ("colon",), _ALL_ANOMALOUS,
        Counts(0, 380, "public listings"), "research only (unverified)", "http://vi.cvc.uab.es/colon-qa/cvccolondb/",
        ("pixel",), "medical",
    ),
    Dataset(
        "cvc-clinicdb", "CVC-ClinicDB", forms.image_mask_form("images", "masks", "colon"), ("colon",), _ALL_ANOMALOUS,
        Counts(0, 612, "public listings"), "research only (unverified)", "https://polyp.grand-challenge.org/CVCClinicDB/",
        ("pixel",), "medical",
    ),
    Dataset(
        "kvasir", "Kvasir-SEG", forms.image_mask_form("images", "masks", "colon"), ("colon",), _ALL_ANOMALOUS,
        Counts(0, 1000, "public listings"), "research and education (unverified)",
        "https://datasets.simula.no/kvasir-seg/", ("pixel",), "medical", "checked on five images",
    ),
    Dataset(
        "endo", "EndoTect", forms.endo, ("colon",), "every folder but masks; anomalous unless its name is good",
        Counts(0, 200, _MEMORY), "research only (unverified)", "https://endotect.com/", ("pixel",), "medical",
    ),
    Dataset(
        "tn3k", "TN3K", forms.image_mask_form("test-image", "test-mask", "thyroid"), ("thyroid",),
        "test-image and test-mask, all anomalous", Counts(0, 614, _MEMORY), "research only (unverified)",
        "https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation", ("pixel",), "medical",
    ),
    Dataset(
        "headct", "HeadCT", forms.labelled_form("brain", "good", below="brain/test", any_other=True), ("brain",),
        "brain/test: folder good is normal, every other anomalous", Counts(100, 100, _MEMORY), "CC0 (unverified)",
        "https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage", ("image",), "medical",
    ),
    Dataset(
        "brainmri", "BrainMRI", forms.labelled_form("brain", "no", "yes", below="brain_tumor_dataset"), ("brain",),
        "folder no is normal, yes anomalous", Counts(98, 155, _MEMORY), "none stated (unverified)",
        "https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection", ("image",), "medical",
        "checked on 80 images, without the folder brain_tumor_dataset",
    ),
    Dataset(
        "br35h", "Br35H", forms.labelled_form("brain", "no", "yes"), ("brain",),
        "folder no is normal, yes anomalous; pred is left out", Counts(1500, 1500, _MEMORY), "none stated (unverified)",
        "https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection", ("image",), "medical",
    ),
    Dataset(
        "covid-19", "COVID-19", forms.labelled_form("chest", "NORMAL", "COVID", "COVID-19", "COVID19"), ("chest",),
        "folder NORMAL is normal, COVID anomalous; other pneumonia is left out", Counts(1341, 219, _MEMORY),
        "research only (unverified)", "https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        ("image",), "medical", "which folders the published figures used is an open question (AnomalyCLIP issue 98)",
    ),
    Dataset(
        "mvtec-loco", "MVTec LOCO AD", forms.mvtec_form(),
        ("breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors"),
        f"{_MVTEC_RULE}; several masks of one image are united", Counts(575, 993, "not looked up"), "CC BY-NC-SA 4.0",
        "https://www.mvtec.com/company/research/datasets/mvtec-loco",
        form_note="checked on eight images with flattened masks", suite=False,
    ),
    Dataset(
        "magnetic-tile", "Magnetic tile defects", forms_surface.magnetic_tile, ("magnetic_tile",),
        "all images; MT_Free is normal", Counts(952, 392, "defects from a third party's README, normal not looked up"),
        "none stated; cite the paper",
        "https://github.com/abin24/Magnetic-tile-defect-datasets.", BOTH, "surface", "checked on 90 images", False,
    ),
    Dataset(
        "deepcrack", "DeepCrack", forms.image_mask_form("test_img", "test_lab", "pavement", threshold=JPEG_THRESHOLD),
        ("pavement",), "test_img and test_lab, all anomalous", Counts(0, 237, "not looked up"),
        "non-commercial research", "https://github.com/yhlleo/DeepCrack", ("pixel",), "surface",
        "checked on 20 images", False,
    ),
    Dataset(
        "aws-cookie", "AWS cookies", forms_surface.aws_cookie, ("cookie",),
        "all training images; anomaly-* is anomalous", None, "CC BY-SA 4.0",
        "https://github.com/aws-samples/amazon-lookout-for-vision", BOTH, "surface", "checked on 18 images", False,
    ),
    Dataset(
        "hazelnut-toy", "Toy hazelnuts", forms_surface.hazelnut_toy, ("hazelnut",), "good.jpg is normal",
        Counts(1, 2, "the data", True), "CC BY 4.0",
        "https://github.com/open-edge-platform/anomalib", BOTH, "surface", "checked on all images", False,
    ),
    Dataset(
        "ucsd-ped2", "UCSD Ped2 frames", forms_surface.ucsd_ped2, ("ped2",),
        "test clips as single frames; a frame with an empty mask is normal", None, "research use",
        "http://www.svcl.ucsd.edu/projects/anomaly", BOTH, "surveillance", "checked on one clip of 180 frames", False,
    ),
)  # fmt: skip

CATALOG: dict[str, Dataset] = {row.name: row for row in _ROWS}
