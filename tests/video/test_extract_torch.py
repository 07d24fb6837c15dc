"""Features through torch are those of the library's own model, called directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch

pytest.importorskip("av")

import zsad
from tests.video.clips import write_clip
from zsad.images.preprocess import network_input
from zsad.video.features import Choice, read_features
from zsad.video.source import open_video
from zsad.video.towers import feature_detector

TINY = f"local-dir:{Path(zsad.__file__).parent / 'assets' / 'tiny'}"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 10)


def inputs(clip, detector):
    frames = [network_input(frame.image, detector.card) for frame in open_video(clip).frames(4)]
    return torch.from_numpy(np.stack(frames))


def test_open_clip_s_own_image_feature(clip):
    detector = feature_detector(TINY)
    found = read_features(open_video(clip), detector, Choice(every=4)).arrays["0"]
    model = open_clip.create_model(TINY).eval()
    assert detector.card.input.image_size == model.visual.image_size[0], "native size"
    with torch.inference_mode():
        expected = model.encode_image(inputs(clip, detector)).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_timm_s_own_pooled_feature(clip):
    name = "random:timm:vit_tiny_patch16_224"
    detector = feature_detector(name)
    found = read_features(open_video(clip), detector, Choice(every=4)).arrays["0"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0).eval()
    with torch.inference_mode():
        expected = model(inputs(clip, detector)).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)
