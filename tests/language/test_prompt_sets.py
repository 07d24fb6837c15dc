"""The prompt sets that are shipped: each is called what its file is called, and has the slots that its system fills."""

from __future__ import annotations

import pytest

from zsad import paths
from zsad.language.prompts import load_prompts

SHIPPED = sorted(path.stem for path in (paths.shipped_prompts() / "language").glob("*.yaml"))
NEEDED = {
    "holmes": {name: ["frames"] for name in ("judgement", "description", "analysis")},
    "cuva": {name: ["frames"] for name in ("detection", "description", "cause", "result")}
    | {"classification": ["frames", "categories"], "timestamp": ["frames", "duration"]},
    "hawk": {"describe": ["frames", "motion_frames"]},
    "vadllama": {"chat": ["frames", "question"], "follow": ["question"]},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_set_is_called_what_its_file_is_called(name):
    found = load_prompts(name, NEEDED.get(name))
    assert found.name == name and found.version >= 1 and found.templates
    assert all(template.prompts == f"{name} {found.version}" for template in found.templates.values())


def test_the_systems_are_there():
    assert set(NEEDED) <= set(SHIPPED)
