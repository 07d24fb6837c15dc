"""The door for documents from outside: JSON and YAML that a person, a model or another program wrote.

Every reader of the package uses these functions. They bound what a document may cost (bytes, entries, depth, digits,
length of a text), take neither YAML's aliases nor its tags, nor a key that is given twice, and no number that is not
finite. What comes back is made of dict, list, str, int, float, bool and None; a refusal is one short line.
"""

from zsad.documents.bounds import DIGITS, LARGE, SMALL, Limits
from zsad.documents.entries import Entries, is_number, is_whole
from zsad.documents.reading import parse_json, parse_yaml, read_bytes, read_json, read_yaml

__all__ = [
    "DIGITS",
    "LARGE",
    "SMALL",
    "Entries",
    "Limits",
    "is_number",
    "is_whole",
    "parse_json",
    "parse_yaml",
    "read_bytes",
    "read_json",
    "read_yaml",
]
