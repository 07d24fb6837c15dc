"""Small folders of labels in the formats that the field shares; drawn up by hand, nothing of a dataset in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from zsad.video.labels.frame_arrays import AVENUE, PED2

UCF_LENGTHS = {"Abuse001_x264": 100, "Fire.One_x264": 64, "Normal_Videos_003_x264": 50}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def save(path: Path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def ucf(root: Path) -> Path:
    """Three videos; in the revised labels one span is another."""
    write(root / "VadCLIP/list/Temporal_Anomaly_Annotation.txt",
          "Abuse001_x264  Abuse  10  30  50  101  \nFire.One_x264.mp4  Fire  0  16  -1  -1  \n"
          "Normal_Videos_003_x264  Normal  -1  -1  -1  -1  \n")  # fmt: skip
    write(root / "UMIL/UCF_test.txt",
          "frames/Abuse/Abuse001_x264.mp4 100 1 20 30 50 101\nframes/Fire/Fire.One_x264.mp4 64 4 0 16 -1 -1\n"
          "frames/Normal/Normal_Videos_003_x264.mp4 50 0 -1 -1 -1 -1\n")  # fmt: skip
    return root


def ucf_records(root: Path) -> None:
    """The same as VAD-LLaMA has it."""
    rows = [("Abuse/Abuse001_x264", [20, 30, 50, 101], 100), ("Fire/Fire.One_x264", [0, 16, -1, -1], 64),
            ("Normal/Normal_Videos_003_x264", [-1, -1, -1, -1], 50)]  # fmt: skip
    records = [{"video": f"frames/{p}.mp4", "temporal_label": s, "length": n, "QA": []} for p, s, n in rows]
    write(root / "VAD-LLaMA/UCF_Eval.json", json.dumps(records))


def tad(root: Path) -> Path:
    write(root / "UMIL/TAD_test.txt",
          "frames/abnormal/01_Accident_006.mp4 50 1 10 20\nframes/abnormal/05_else_002.mp4 40 5 0 41\n"
          "frames/normal/Normal_238.mp4 30 0 0 30\n")  # fmt: skip
    return root


def xd(root: Path) -> Path:
    lengths = {"A.B.2001__#00-01_label_B2-G-0": 50, "v=x__#1_label_B4-0-0": 33, "C.D__#2_label_A": 17}
    write(root / "VERA/xd_test_800.json", json.dumps(
        [{"video": name, "temporal_label": [-1, -1], "length": n, "label": "0"} for name, n in lengths.items()]
    ))  # fmt: skip
    write(root / "VadCLIP/list/annotations.txt",
          "A.B.2001__#00-01_label_B2-G-0 0 10 30 50\nv=x__#1_label_B4-0-0.mp4 5 20\n")  # fmt: skip
    write(root / "VadCLIP/list/annotations_multiclasses.txt",
          "A.B.2001__#00-01_label_B2-G-0 B2 0 10 G 30 50\nv=x__#1_label_B4-0-0.mp4 B4 5 20\n")  # fmt: skip
    return root


def shanghai(root: Path) -> Path:
    """Two videos of the original test set, one of which is in the weak one, with two normal videos."""
    first, second = np.zeros(20, np.uint8), np.zeros(33, np.uint8)
    first[15:], second[3:9] = 1, 1
    save(root / "RTFM/list/test_frame_mask/01_0014.npy", second)
    save(root / "RTFM/list/test_frame_mask/02_0128.npy", first)
    write(root / "RTFM/list/SH_Test.txt", "01_001\n02_0128\n03_005")
    held = np.concatenate([first, np.ones(12)])
    save(root / "RTFM/list/gt-sh.npy", np.concatenate([held, np.zeros(64)]))
    return root


def msad(root: Path) -> Path:
    write(root / "MSAD/msad-i3d-test.list",
          "/a/b/Assault_2_i3d.npy\n/a/b/Object_falling_7_i3d.npy\n/a/MSAD_normal_testing_119_i3d.npy")  # fmt: skip
    joined = np.zeros(96)
    joined[4:20] = joined[40:44] = 1
    save(root / "MSAD/gt-MSAD-WS-new.npy", joined)
    return root


MSAD_LENGTHS = {"Assault_2": 32, "Object_falling_7": 16, "MSAD_normal_testing_119": 48}


def frames(root: Path) -> Path:
    """Avenue and Ped2: arrays of their full lengths, in which the first frames of each video are anomalous."""
    for name, lengths in (("avenue", AVENUE), ("ped2", PED2)):
        each = [np.arange(n) < 5 for n in lengths]
        save(root / f"MNAD/data/frame_labels_{name}.npy", np.concatenate(each)[None].astype(np.int8))
    return root


def ped1(root: Path) -> Path:
    lines = "\n".join(f"TestVideoFile{{end+1}}.gt_frame = [{i}:{i + 9}, 150:200];" for i in range(1, 37))
    write(root / "UCSDped1/Test/UCSDped1.m", f"TestVideoFile = {{}};\n{lines}\n")
    return root


def ubnormal(root: Path) -> Path:
    write(root / "UBnormal/scripts/abnormal_test_video_names.txt",
          "abnormal_scene_1_scenario_2\nabnormal_scene_3_scenario_1_fog\n")  # fmt: skip
    write(root / "UBnormal/scripts/normal_test_video_names.txt", "normal_scene_1_scenario_1\n")
    place = root / "UBnormal/Scene1/abnormal_scene_1_scenario_2_annotations"
    write(place / "abnormal_scene_1_scenario_2_tracks.txt", "2,10,19\n3.0,15.0,29.0\n")
    place = root / "UBnormal/Scene3/abnormal_scene_3_scenario_1_fog_annotations"
    write(place / "abnormal_scene_3_scenario_1_fog_tracks.txt", "1,0,4\n")
    return root


def everything(root: Path) -> Path:
    for make in (ucf, tad, xd, shanghai, msad, frames, ped1, ubnormal):
        make(root)
    return root
