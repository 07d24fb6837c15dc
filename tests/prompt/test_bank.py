import pytest

from zsad.errors import PromptError
from zsad.paths import prompt_names
from zsad.prompt.bank import PromptBank, load_bank, load_learner

BANKS = ["industrial", "medical", "surveillance"]


@pytest.mark.parametrize("name", BANKS)
def test_shipped_banks(name):
    bank = load_bank(name)
    normal, anomalous = bank.texts()
    assert len(normal) == len(bank.normal) * len(bank.templates)
    assert len(anomalous) == len(bank.anomalous) * len(bank.templates)
    assert len(set(normal)) == len(normal) and not set(normal) & set(anomalous)
    assert all(bank.noun in text and "{" not in text for text in normal + anomalous)
    assert bank.description and not bank.description.endswith(" ")
    with_noun = bank.texts("metal_nut")
    assert all("metal nut" in text for text in with_noun[0] + with_noun[1])
    assert max(len(text.split()) for text in with_noun[1]) < 30


def test_shipped_learner_is_the_published_one():
    learner = load_learner()
    assert (learner.context, learner.depth, learner.deep_length) == (12, 9, 4)
    assert (learner.normal, learner.anomalous) == ("object.", "damaged object.")
    assert {"object_agnostic", *BANKS} <= set(prompt_names())


def bank_file(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return str(path)


GOOD = "kind: bank\nnoun: part\nnormal: ['{}']\nanomalous: ['broken {}']\ntemplates: ['a photo of a {}.']\n"


def test_own_bank(tmp_path):
    bank = load_bank(bank_file(tmp_path, GOOD))
    assert bank.name == "own" and bank.texts()[1] == ["a photo of a broken part."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "colour: red\n", "unknown key 'colour'"),
        (GOOD.replace("noun: part\n", ""), "noun is missing"),
        (GOOD.replace("noun: part", "noun: 5"), "noun is 5"),
        (GOOD.replace("'broken {}'", "'broken'"), "exactly one {}"),
        (GOOD.replace("'broken {}'", "'{} {}'"), "exactly one {}"),
        (GOOD.replace("'broken {}'", "'{state} {}'"), "exactly one {}"),
        (GOOD.replace("['broken {}']", "[]"), "list of different texts"),
        (GOOD.replace("['broken {}']", "['a {}', 'a {}']"), "list of different texts"),
        (GOOD.replace("['broken {}']", "[yes]"), "anomalous"),
        (GOOD.replace("kind: bank", "kind: learner"), "a bank is needed"),
        ("- just\n- a list\n", "a bank is needed"),
        ("kind: [unclosed", "not valid YAML"),
        ("", "a bank is needed"),
    ],
)
def test_errors_are_one_line_and_name_the_file(tmp_path, text, words):
    path = bank_file(tmp_path, text)
    with pytest.raises(PromptError) as error:
        load_bank(path)
    assert words in str(error.value) and "own" in str(error.value) and "\n" not in str(error.value)


def test_other_errors(tmp_path):
    with pytest.raises(PromptError, match="noun is empty"):
        PromptBank("part", ("{}",), ("bad {}",), ("{}",)).texts("  ")
    path = tmp_path / "learner.yaml"
    path.write_text("kind: learner\ndepth: 0\n")
    with pytest.raises(PromptError, match="at least 1"):
        load_learner(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match="not UTF-8"):
        load_bank(str(path))
