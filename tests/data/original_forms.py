"""Writes every dataset of the catalog in its original form: tiny images, odd names, extra files and folders."""

from pathlib import Path

import numpy as np
from PIL import Image

from zsad.data.catalog import CATALOG

H, W = 12, 16


def image(path, seed=0, size=(H, W)):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, len(path.name)])
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


def mask(path, value=255, size=(H, W), filled=(2, 3, 6, 9), background=0):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full(size, background, np.uint8)
    y0, x0, y1, x1 = filled
    array[y0:y1, x0:x1] = value
    Image.fromarray(array).save(path, **({"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}))
    return path


def text(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


class Expected:
    """What must be read back: {key: (label, mask path or None, class, defect)}."""

    def __init__(self):
        self.rows = {}

    def add(self, root, path, label, mask_path, name, defect):
        self.rows[path.relative_to(root).as_posix()] = (label, mask_path, name, defect)


def write_mvtec_form(root, classes, *, normal="good", kinds=("scratch",), ending=".png", suffix="_mask", base=None):
    expected = Expected()
    base = base or root
    for name in classes:
        folder = base / name
        image(folder / "train" / normal / f"900{ending}")
        text(folder / "readme.txt")
        for i in range(2):
            expected.add(root, image(folder / "test" / normal / f"00{i}{ending}", i), 0, None, name, "good")
        for kind in kinds:
            # 9 and 10 sort differently as numbers and as text: pairing by order would swap masks.
            for stem in ("9", "10"):
                path = image(folder / "test" / kind / f"{stem}{ending}", 7)
                truth = mask(folder / "ground_truth" / kind / f"{stem}{suffix}.png")
                expected.add(root, path, 1, truth, name, kind)
    return expected


def write_mvtec_ad(root):
    return write_mvtec_form(root, CATALOG["mvtec-ad"].classes, kinds=("broken_large", "contamination"))


def write_visa(root):
    expected = Expected()
    lines = ["object,split,label,image,mask"]
    for name in CATALOG["visa"].classes:
        data = f"{name}/Data"
        image(root / f"{data}/Images/Normal/0900.JPG")
        lines.append(f"{name},train,normal,{data}/Images/Normal/0900.JPG,")
        path = image(root / f"{data}/Images/Normal/0001.JPG", 1)
        lines.append(f"{name},test,normal,{data}/Images/Normal/0001.JPG,")
        expected.add(root, path, 0, None, name, "good")
        for i, value in (("000", 1), ("0010", 3)):
            path = image(root / f"{data}/Images/Anomaly/{i}.JPG", 2)
            truth = mask(root / f"{data}/Masks/Anomaly/{i}.png", value=value)  # small integers, not 255
            lines.append(f"{name},test,anomaly,{data}/Images/Anomaly/{i}.JPG,{data}/Masks/Anomaly/{i}.png")
            expected.add(root, path, 1, truth, name, "anomaly")
        text(root / name / "image_anno.csv")
    text(root / "split_csv" / "1cls.csv", "\n".join(lines) + "\n")
    text(root / "split_csv" / "2cls_fewshot.csv", "object\n")
    return expected


def write_mpdd(root):
    names = ("bracket_black", "bracket_brown", "bracket_white", "connector", "metal_plate", "tubes")
    return write_mvtec_form(root, names, kinds=("hole",))


def write_btad(root):
    base = root / "BTech_Dataset_transformed"
    return write_mvtec_form(root, ("01", "02", "03"), normal="ok", kinds=("ko",), ending=".bmp", suffix="", base=base)


def write_ksdd(root):
    return write_mvtec_form(root, ("electrical commutators",), kinds=("bad",), suffix="_label")


def write_dagm(root):
    expected = Expected()
    for i in range(1, 11):
        name = f"Class{i}"
        image(root / name / "Train" / "0576.PNG")
        mask(root / name / "Train" / "Label" / "0576_label.PNG")
        expected.add(root, image(root / name / "Test" / "0001.PNG"), 0, None, name, "good")
        path = image(root / name / "Test" / "0002.PNG", 3)
        truth = mask(root / name / "Test" / "Label" / "0002_label.PNG")
        expected.add(root, path, 1, truth, name, "defect")
        text(
            root / name / "Test" / "Label" / "Labels.txt",
            "1\n1\t0\t0001.PNG\t0\t0\n2\t1\t0002.PNG\t0\t0002_label.PNG\n",
        )
    text(root / "readme.pdf")
    return expected


def write_dtd(root):
    return write_mvtec_form(root, CATALOG["dtd-synthetic"].classes, kinds=("bad",))


def write_isic(root):
    expected = Expected()
    for i in ("ISIC_0000003", "ISIC_0000012"):
        path = image(root / "skin" / "test" / "bad" / f"{i}.jpg", 1)
        truth = mask(root / "skin" / "ISBI2016_ISIC_Part1_Test_GroundTruth" / f"{i}_Segmentation.png")
        expected.add(root, path, 1, truth, "skin", "bad")
    return expected


def write_image_mask(root, images="images", masks="masks", name="colon", ending=".png", mask_ending=".png"):
    expected = Expected()
    for stem in ("9", "10", "cju0qkwl35piu0993l0dewei2"):
        path = image(root / images / f"{stem}{ending}", 4)
        expected.add(root, path, 1, mask(root / masks / f"{stem}{mask_ending}"), name, "")
    return expected


def write_kvasir(root):
    text(root / "kavsir_bboxes.json")
    return write_image_mask(root, ending=".jpg", mask_ending=".jpg")


def write_endo(root):
    expected = Expected()
    for stem in ("9", "10"):
        path = image(root / "images" / f"{stem}.jpg", 5)
        expected.add(root, path, 1, mask(root / "masks" / f"{stem}.jpg"), "colon", "images")
    return expected


def write_tn3k(root):
    image(root / "trainval-image" / "0000.jpg")
    mask(root / "trainval-mask" / "0000.jpg")
    return write_image_mask(root, "test-image", "test-mask", "thyroid", ".jpg", ".jpg")


def write_labelled(root, folders, name, below=""):
    """`folders`: {folder: (label or None, defect)}; None = an extra folder that must be left out."""
    expected = Expected()
    for folder, label in folders.items():
        for i in range(2):
            path = image(root / below / folder / f"{i}.jpg", i)
            if label is not None:
                expected.add(root, path, label, None, name, "good" if label == 0 else folder.split("/")[0])
    return expected


def write_headct(root):
    return write_labelled(root, {"good": 0, "bad": 1}, "brain", "brain/test")


def write_brainmri(root):
    image(root / "yes" / "Y1.jpg")  # the archive has both folders twice
    image(root / "no" / "N1.jpg")
    return write_labelled(root, {"no": 0, "yes": 1}, "brain", "brain_tumor_dataset")


def write_br35h(root):
    return write_labelled(root, {"no": 0, "yes": 1, "pred": None, "Br35H-Mask-RCNN/TEST": None}, "brain")


def write_covid(root):
    return write_labelled(root, {"NORMAL": 0, "COVID-19": 1, "Viral Pneumonia": None}, "chest")


def write_loco(root):
    names = ("breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors")
    expected = Expected()
    for name in names:
        image(root / name / "train" / "good" / "900.png")
        image(root / name / "validation" / "good" / "901.png")
        expected.add(root, image(root / name / "test" / "good" / "000.png"), 0, None, name, "good")
        for kind in ("logical_anomalies", "structural_anomalies"):
            path = image(root / name / "test" / kind / "000.png")
            folder = root / name / "ground_truth" / kind / "000"
            mask(folder / "000.png", value=255, filled=(0, 0, 2, 2))
            mask(folder / "001.png", value=249, filled=(4, 4, 6, 6))
            expected.add(root, path, 1, folder, name, kind)
        text(root / name / "defects_config.json")
    return expected


def write_magnetic_tile(root):
    expected = Expected()
    for kind in ("Blowhole", "Break", "Crack", "Fray", "Uneven", "Free"):
        for i, stem in enumerate(("exp1_num_9", "exp1_num_10")):
            folder = root / f"MT_{kind}" / "Imgs"
            size = (H + i, W)
            path = image(folder / f"{stem}.jpg", 6, size)
            truth = mask(folder / f"{stem}.png", size=size, value=0 if kind == "Free" else 255)
            free = kind == "Free"
            defect = "good" if free else kind.lower()
            expected.add(root, path, int(not free), None if free else truth, "magnetic_tile", defect)
    text(root / "README.md")
    return expected


def write_deepcrack(root):
    return write_image_mask(root, "test_img", "test_lab", "pavement", ".jpg", ".png")


def write_aws_cookie(root):
    expected = Expected()
    base = root / "dataset-files"
    expected.add(root, image(base / "training-images" / "normal-1.jpg"), 0, None, "cookie", "good")
    path = image(base / "training-images" / "anomaly-1.jpg", 1)
    truth = base / "mask-images" / "anomaly-1.png"
    truth.parent.mkdir(parents=True)
    array = np.zeros((H, W), np.uint8)
    array[2:6, 3:9] = 7
    palette = Image.fromarray(array).convert("P")
    palette.putpalette([0, 0, 0] + [35, 164, 54] * 255)
    palette.save(truth)
    expected.add(root, path, 1, truth, "cookie", "anomaly")
    text(root / "LICENSE")
    return expected


def write_hazelnut_toy(root):
    expected = Expected()
    expected.add(root, image(root / "good.jpg"), 0, None, "hazelnut", "good")
    for stem in ("colour", "crack"):
        path = image(root / f"{stem}.jpg", 2)
        expected.add(root, path, 1, mask(root / f"{stem}_mask.jpg"), "hazelnut", stem)
    return expected


def write_ucsd_ped2(root):
    expected = Expected()
    for k, filled in ((0, (0, 0, 0, 0)), (1, (2, 3, 6, 9))):
        frame = image(root / "ped2" / "testing" / "frames" / "02" / f"{k:03d}.jpg", k)
        truth = mask(root / "UCSDped2" / "Test" / "Test002_gt" / f"{k + 1:03d}.bmp", filled=filled)
        expected.add(root, frame, k, truth if k else None, "ped2", "anomaly" if k else "good")
    image(root / "ped2" / "testing" / "frames" / "03" / "000.jpg")  # a clip without masks is left out
    text(root / "ped2" / "ped2.mat")
    return expected


def write_elpv(root):
    expected = Expected()
    lines = []
    for i, (probability, kind) in enumerate((p, k) for k in ("mono", "poly") for p in (1.0, 0.0, 1 / 3, 2 / 3)):
        path = image(root / "images" / f"cell{i:04d}.png", i)
        lines.append(f"images/{path.name}  {probability}  {kind}")
        if probability in (0.0, 1.0):
            label = int(probability)
            expected.add(root, path, label, None, kind, "defective" if label else "good")
    text(root / "labels.csv", "\n".join(lines) + "\n")
    return expected


WRITERS = {
    "mvtec-ad": write_mvtec_ad,
    "visa": write_visa,
    "mpdd": write_mpdd,
    "btad": write_btad,
    "ksdd": write_ksdd,
    "dagm": write_dagm,
    "dtd-synthetic": write_dtd,
    "isic": write_isic,
    "cvc-colondb": write_image_mask,
    "cvc-clinicdb": write_image_mask,
    "kvasir": write_kvasir,
    "endo": write_endo,
    "tn3k": write_tn3k,
    "headct": write_headct,
    "brainmri": write_brainmri,
    "br35h": write_br35h,
    "covid-19": write_covid,
    "mvtec-loco": write_loco,
    "magnetic-tile": write_magnetic_tile,
    "deepcrack": write_deepcrack,
    "aws-cookie": write_aws_cookie,
    "hazelnut-toy": write_hazelnut_toy,
    "ucsd-ped2": write_ucsd_ped2,
    "elpv": write_elpv,
}
