"""The prompt sets that are shipped: each is called what its file is called, and has the slots that its system fills."""

from __future__ import annotations

import pytest

from zsad import paths
from zsad.language.prompts import load_prompts

SHIPPED = sorted(path.stem for path in (paths.shipped_prompts() / "language").glob("*.yaml"))
NEEDED = {
    "explain": {name: ["frames"] for name in ("judgement", "description", "analysis", "what", "why", "how")}
    | {"which": ["frames", "categories"], "when": ["frames", "duration"], "motion": ["frames", "motion_frames"]}
    | {"chat": ["frames", "question"], "follow": ["question"]}
    | {f"part_{name}": ["pictures", "regions"] for name in ("judgement", "description", "cause", "question")}
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_set_is_called_what_its_file_is_called(name):
    found = load_prompts(name, NEEDED.get(name))
    assert found.name == name and found.version >= 1 and found.templates
    assert all(template.prompts == f"{name} {found.version}" for template in found.templates.values())


def test_the_systems_are_there():
    assert set(NEEDED) <= set(SHIPPED)
