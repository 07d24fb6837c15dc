"""Tests of the report."""

FACTS = {
    "title": "parts",
    "model": "m",
    "prompt": "",
    "description": "d",
    "image": 0.5,
    "pixel": 0.5,
    "min_area": 0.0,
    "rule": "either",
    "source": "",
    "judges": True,
    "outline": 0.5,
    "version": "0",
    "system": "s",
    "started": "now",
}
"""What the head of a page states."""
