"""A backbone for prompt tests: the small CLIP of set T with a drawn token table."""

import pytest


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    from safetensors.torch import save_file

    from tests.golden_support import complete_weights
    from zsad.backbone import load_backbone

    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(complete_weights(), path)
    return load_backbone(str(path), image_size=56, vv_blocks=2, layers=(2, 3))
