"""Pasted patches: visible where the mask says, and nowhere else."""

import numpy as np
import pytest

pytest.importorskip("torch")

from factory import paste as pasting
from factory.pool import ScenePool
from factory.scenes import Batches
from factory.texts import Words


def scenes(count=12):
    pool = ScenePool(96, 0)
    for i in range(count):
        scene = pool[i]
        yield i, scene.__class__(**{**vars(scene), "mask": scene.mask * np.uint8(255)}), pool[i + count].image


def test_change_is_in_the_mask():
    changed = 0
    for i, scene, other in scenes():
        result = pasting.paste(np.random.default_rng(i), scene, other)
        if result is scene:
            continue
        changed += 1
        new = (result.mask > 0) & (scene.mask == 0)
        moved = np.abs(result.image.astype(int) - scene.image.astype(int)).mean(-1)
        assert result.image.dtype == np.uint8 and result.mask.dtype == np.uint8
        assert result.label == 1 and result.defects[-1] == "patch" and "patch" in result.caption
        assert moved[result.mask > 0].mean() > moved[result.mask == 0].mean()
        far = np.ones_like(new)
        ys, xs = np.nonzero(result.mask)
        far[max(0, ys.min() - 8) : ys.max() + 9, max(0, xs.min() - 8) : xs.max() + 9] = False
        assert (moved[far] <= 1).all()
    assert changed >= 8


def test_is_a_function_of_its_seed():
    for i, scene, other in scenes(3):
        a, b = (pasting.paste(np.random.default_rng(i), scene, other) for _ in range(2))
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.mask, b.mask)


def test_an_invisible_patch_is_not_pasted(monkeypatch):
    monkeypatch.setattr(pasting, "VISIBLE", 1e9)
    for i, scene, other in scenes(3):
        assert pasting.paste(np.random.default_rng(i), scene, other) is scene


@pytest.mark.parametrize(("chance", "fewest", "most"), [(0.0, 0, 0), (1.0, 4, 6)])
def test_share_of_pasted_scenes(config, encoder, chance, fewest, most):
    from dataclasses import replace

    config = replace(config, data=replace(config.data, early_paste=chance, batch=6))
    words = Words.of_world()
    batch = Batches(config, words, encoder.text.tokenize)[0]
    patch = encoder.text.tokenize(["patch"])[0, 1]
    assert fewest <= int((batch.captions == patch).any(1).sum()) <= most
