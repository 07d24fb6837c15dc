"""The gateway against a scripted server: once each, kept before used, tried again, bounded, named failures."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections import Counter
from dataclasses import replace

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from PIL import Image

from zsad.errors import BudgetError, EndpointError, InputError, OutputError, UsageError
from zsad.language.asking import Ask, Message, Picture, Sampling, Sound, key_of, wire
from zsad.language.cache import Cache, default_cache
from zsad.language.endpoint import Endpoint
from zsad.language.gateway import Budget, Gateway, replaying
from zsad.language.parse import bracket_score, last_line
from zsad.language.pictures import contact_sheet, to_jpeg
from zsad.language.record import import_calls, read_calls, write_calls

LATER = "Wed, 21 Oct 2099 07:28:00 GMT"
NO_SCHEMA = {"status": 400, "message": "response_format is unknown"}
ECHO = {"reply": {"echo": True}}


def ask(text: str, *more, **fields) -> Ask:
    return Ask("test.step", text, (Message("user", (text, *more)),), **fields)


def gateway(server, path=None, **more):
    waits: list[float] = []
    found = Gateway(Endpoint(server.url, "scripted-vlm", timeout=5), Cache(path), sleep=waits.append, **more)
    found.waits = waits
    return found


def jpeg(level=100, size=(32, 24)) -> bytes:
    return to_jpeg(Image.new("RGB", size, (level, level, level)))


def test_a_question_is_sent_once_and_kept(serve, tmp_path):
    server = serve(ECHO)
    one = gateway(server, tmp_path / "c.sqlite")
    assert one.ask(ask("hello")).text == "hello" == one.ask(ask("hello")).text
    assert one.counts.to_calls() == {"sent": 1, "cached": 1, "unparsed": 0, "tokens": 2}
    two = gateway(server, tmp_path / "c.sqlite")
    assert two.ask(ask("hello")).text == "hello" and two.counts.sent == 0
    assert len(server.log) == 1
    body = server.log[0]["body"]
    assert body == {"model": "scripted-vlm", "max_tokens": 256, "temperature": 0.0, "top_p": 1.0, "seed": 8}


def test_the_same_question_of_several_threads_is_sent_once(serve):
    server = serve(ECHO | {"behaviour": {"delay": 0.2}})
    one = gateway(server)
    found = one.read_all([ask("same")] * 6 + [ask("other")], last_line)
    assert [read.value for read in found] == ["same"] * 6 + ["other"]
    assert len(server.log) == 2 and one.counts.sent == 2 and one.counts.cached == 5


@pytest.mark.parametrize("workers", [1, 8])
def test_answers_come_in_order_whatever_their_time(serve, workers):
    server = serve(ECHO | {"behaviour": {"delay_by_hash": [0.0, 0.05]}})
    asks = [ask(f"item {i}") for i in range(20)]
    assert [read.value for read in gateway(server, concurrency=workers).read_all(asks, last_line)] == [
        f"item {i}" for i in range(20)
    ]
    assert server.most <= workers


def test_asks_are_taken_no_further_ahead_than_needed(serve):
    server, taken = serve(ECHO), []

    def asks():
        for i in range(60):
            taken.append(i)
            yield ask(str(i))

    one = gateway(server, concurrency=2)
    most = []
    one.read_all(asks(), last_line, on_answer=lambda done: most.append(len(taken) - done))
    assert len(taken) == 60 and max(most) <= 5


@pytest.mark.parametrize(
    "behaviour",
    [{"status": 429}, {"status": 500}, {"status": 503}, {"status": 408}, {"reset": True}, {"truncated": 20},
     *({"malformed": how} for how in ("json", "empty", "html", "no_choices", "choices_empty", "utf8"))],
    ids=str,
)  # fmt: skip
def test_what_passes_is_tried_again(serve, behaviour):
    server = serve({"when": {"max_uses": 2}, "behaviour": behaviour, "reply": {"text": "x" * 50}}, ECHO)
    one = gateway(server)
    assert one.ask(ask("good")).text == "good"
    assert len(server.log) == 3 and one.counts.sent == 1 and one.counts.failed == 0
    assert [int(wait) for wait in one.waits] == [1, 2]


def test_the_server_says_how_long_to_wait(serve):
    server = serve({"when": {"max_uses": 1}, "behaviour": {"status": 429, "retry_after": 1}},
                   {"when": {"max_uses": 1}, "behaviour": {"status": 429, "retry_after": LATER}},
                   {"when": {"max_uses": 1}, "behaviour": {"status": 429, "retry_after": "soon"}}, ECHO)  # fmt: skip
    one = gateway(server)
    assert one.ask(ask("good")).text == "good"
    assert one.waits[:2] == [1.0, 60.0] and 4 <= one.waits[2] <= 5


def test_a_server_that_hangs_is_left(serve):
    server = serve({"when": {"max_uses": 1}, "behaviour": {"hang": 1.0}}, ECHO)
    one = Gateway(Endpoint(server.url, "m", timeout=0.3), Cache(None), sleep=lambda _: None)
    assert one.ask(ask("good")).text == "good"


def test_five_tries_and_then_the_item_is_missing_and_three_such_end_it(serve):
    server = serve({"when": {"text_contains": ["bad"]}, "behaviour": {"status": 500}}, ECHO)
    one = gateway(server, concurrency=1)
    reads = one.read_all([ask("good"), ask("bad 1"), ask("good 2"), ask("bad 2")], last_line)
    assert [read.value for read in reads] == ["good", None, "good 2", None]
    assert reads[1].reply.failed and "HTTP 500" in reads[1].reason
    assert len(server.requests("bad 1")) == 5
    with pytest.raises(EndpointError, match="no answer after several tries"):
        one.read_all([ask("bad 3"), ask("bad 4"), ask("bad 5")], last_line)
    assert one.counts.unparsed == 0


FILTERED = {"when": {"text_contains": ["bad"]}, "behaviour": {"status": 400, "message": "content filter"}}
DEAF = {"when": {"audio": True}, "behaviour": {"status": 400, "message": "no audio input here"}}


def test_refused_items_end_nothing_once_something_was_answered(serve, tmp_path):
    server = serve(FILTERED, ECHO)
    asks = [ask("good"), *(ask(f"bad {i}") for i in range(5)), ask("good 2")]
    for sent in (7, 12):  # a rerun asks what was refused again, and goes on as well
        one = gateway(server, tmp_path / "c", concurrency=1)
        reads = one.read_all(asks, last_line)
        assert [read.value for read in reads] == ["good", *[None] * 5, "good 2"] and len(server.log) == sent
        assert one.counts.failed == 5 and reads[1].reply.failed
    with pytest.raises(EndpointError, match="the server does not take this request"):
        gateway(server, concurrency=1).read_all(asks[1:], last_line)


def test_a_model_without_sound_ends_it_though_it_answers_texts(serve):
    one = gateway(serve(DEAF, ECHO), concurrency=1)
    one.ask(ask("good"))
    heard = [Ask("test.heard", str(i), (Message("user", (f"hear {i}", Sound.of(b"RIFF"))),)) for i in range(5)]
    with pytest.raises(EndpointError, match="this model takes no sound"):
        one.read_all(heard, last_line)


@pytest.mark.parametrize("behaviour", [{"refusal": "field"}, {"refusal": "filter"}, {"malformed": "content_null"}])
def test_refusals_and_silence_are_reasons_and_are_kept(serve, behaviour):
    server = serve({"behaviour": behaviour, "reply": {"text": "x"}})
    one = gateway(server)
    read = one.read(ask("q"), last_line, "Answer in one line.")
    assert read.value is None and read.reason in ("refusal", "content_filter", "empty")
    assert one.counts.unparsed == 1 and not read.reply.failed
    sent = len(server.log)
    one.read(ask("q"), last_line, "Answer in one line.")
    assert len(server.log) == sent


def test_content_in_parts_and_cut_answers(serve):
    server = serve({"when": {"text_contains": ["parts"]}, "behaviour": {"malformed": "content_parts"},
                    "reply": {"text": "in parts"}},
                   {"behaviour": {"length": 3}, "reply": {"text": "[0.5]"}})  # fmt: skip
    one = gateway(server)
    assert one.ask(ask("parts")).text == "in parts"
    read = one.read(ask("q"), bracket_score)
    assert (read.value, read.reason) == (None, "truncated")


def test_the_wanted_form_is_asked_for_once_more(serve):
    server = serve({"when": {"attempt": 1}, "reply": {"text": "[0.7]"}}, {"reply": {"text": "maybe 0,7"}})
    one = gateway(server)
    assert one.read(ask("q"), bracket_score, "Give one number in brackets.").value == 0.7
    assert one.counts.unparsed == 0 and one.counts.reasked == 1 and one.counts.sent == 2
    assert server.log[1]["text"] == "q\nmaybe 0,7\nGive one number in brackets."
    assert one.read(ask("q"), bracket_score, "Give one number in brackets.").value == 0.7 and len(server.log) == 2
    assert one.read(ask("r"), bracket_score).reason == "no_number" and one.counts.unparsed == 1


def test_the_budget_is_kept_to_the_call(serve, tmp_path):
    server = serve(ECHO)
    asks = [ask(str(i)) for i in range(10)]
    one = gateway(server, tmp_path / "c", budget=Budget(calls=4))
    with pytest.raises(BudgetError, match=r"4 calls and .* 6 calls of this step are missing"):
        one.read_all(asks, last_line)
    assert len(server.log) == 4
    two = gateway(server, tmp_path / "c", budget=Budget(calls=6))
    assert len(two.read_all(asks, last_line)) == 10 and len(server.log) == 10


def test_a_budget_of_tokens(serve):
    server = serve(ECHO | {"usage": {"prompt_tokens": 60, "completion_tokens": 40}})
    one = gateway(server, budget=Budget(tokens=250), concurrency=1)
    with pytest.raises(BudgetError):
        one.read_all([ask(str(i)) for i in range(10)], last_line)
    assert len(server.log) == 3 and one.counts.tokens == 300


def test_tokens_are_estimated_where_the_server_counts_none(serve):
    server = serve(ECHO | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}})
    one = gateway(server, budget=Budget(tokens=2000), concurrency=1)
    with pytest.raises(BudgetError, match="2 calls and 2174 tokens spent"):
        one.read_all([ask("word" * 500 + str(i), Picture.of(jpeg(i))) for i in range(9)], last_line)
    assert len(server.log) == 2 and one.counts.tokens == 2174
    assert {stored.prompt_tokens for stored in one.used.values()} == {0}  # what is kept is what the server said


def test_calls_under_way_are_reserved(serve):
    server = serve(ECHO | {"usage": {"prompt_tokens": 900, "completion_tokens": 100}, "behaviour": {"delay": 0.02}})
    one = gateway(server, budget=Budget(tokens=2500), concurrency=8)
    with pytest.raises(BudgetError):
        one.read_all([ask(str(i)) for i in range(16)], last_line)
    assert len(server.log) == 3 and one.counts.missing == 13


def test_one_budget_for_several_ways(serve):
    server = serve({"when": {"text_contains": ["bad"]}, "behaviour": {"status": 400}}, ECHO)
    one = gateway(server, budget=Budget(calls=5))
    two = gateway(server, purse=one.purse)
    one.read_all([ask("a"), ask("bad"), ask("b")], last_line)  # nothing is answered, nothing is spent
    with pytest.raises(BudgetError, match=r"5 calls and .* 1 calls of this step are missing"):
        two.read_all([ask(f"judge {i}") for i in range(4)], last_line)
    assert two.counts.sent == 3 and len(server.log) == 6


def test_a_wrong_key_stops_at_once_and_is_nowhere(serve, monkeypatch, tmp_path):
    monkeypatch.setenv("ZSAD_API_KEY", "sk-very-secret-1234")
    server = serve(ECHO, limits={"key": "another"})
    one = gateway(server, tmp_path / "c.sqlite", concurrency=1)
    with pytest.raises(
        EndpointError, match=r"the key is refused \(HTTP 401\); put the right one into ZSAD_API_KEY"
    ) as e:
        one.read_all([ask("a"), ask("b")], last_line)
    assert len(server.log) == 1 and "secret" not in str(e.value)
    monkeypatch.delenv("ZSAD_API_KEY")
    with pytest.raises(EndpointError, match="the key is missing"):
        gateway(server).ask(ask("a"))
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    assert gateway(server, tmp_path / "c.sqlite").ask(ask("a")).text == "a"
    assert all(b"another" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_white_space_around_a_key_is_no_part_of_it(serve, monkeypatch, end):
    monkeypatch.setenv("ZSAD_API_KEY", f"sk-secret{end}")
    assert gateway(serve(ECHO, limits={"key": "sk-secret"})).ask(ask("a")).text == "a"


@pytest.mark.parametrize("key", ["sk-secr\u00e9t", "sk-\rsecret", "sk-sec\x1bret", "\u201csecret\u201d"])
def test_a_key_that_can_be_none_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError, match="OPENAI_API_KEY: what it holds is no key") as found:
        Endpoint("http://127.0.0.1:9")
    assert "sec" not in str(found.value)


def test_texts_of_the_protocol_are_not_shown(serve, monkeypatch):
    server = serve(ECHO)
    monkeypatch.setenv("OPENAI_ORG_ID", "secret\r")
    reply = gateway(server).ask(ask("a"))
    assert "secret" not in reply.reason + reply.remedy and reply.reason == "LocalProtocolError"
    monkeypatch.setenv("OPENAI_ORG_ID", "secr\u00e9t")
    with pytest.raises(EndpointError, match="a header of the request is not ASCII") as found:
        gateway(server).ask(ask("a"))
    assert "secr" not in str(found.value) and not server.log


def test_failures_are_named(serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = Gateway(Endpoint(f"http://127.0.0.1:{port}", "m"), Cache(None), sleep=lambda _: pytest.fail("no waiting"))
    with pytest.raises(EndpointError, match=rf"127.0.0.1:{port}/v1: no endpoint there \("):
        nobody.ask(ask("a"))
    blind = serve({"when": {"n_images": [1, 9]}, "behaviour": {"status": 400, "message": "no image input here"}}, ECHO)
    with pytest.raises(EndpointError, match="this model takes no images; choose one that does with --llm NAME"):
        gateway(blind).ask(ask("a", Picture.of(jpeg())))
    short = serve({"behaviour": {"status": 400, "message": "This model's maximum context length is 4096 tokens"}})
    with pytest.raises(EndpointError, match="context overflow"):
        gateway(short, concurrency=1).read_all([ask("a"), ask("b"), ask("c")], last_line)
    lost = serve({"behaviour": {"status": 404, "message": "model not found"}})
    with pytest.raises(EndpointError, match="not there \\(HTTP 404: model not found\\)"):
        gateway(lost).ask(ask("a"))
    for url in ("", "localhost:8000", "ftp://a", "http://", "http://user:pw@host", "http://a:99999"):
        with pytest.raises(UsageError, match=r"--endpoint .* is no address"):
            Endpoint(url)


def test_the_only_model_needs_no_name(serve):
    assert Endpoint(serve(ECHO).url).name() == "scripted-vlm"
    with pytest.raises(EndpointError, match="models there: a, b; choose one with --llm NAME"):
        Endpoint(serve(models=["a", "b"]).url).name()


def test_more_images_than_allowed_go_onto_a_sheet(serve):
    server = serve(ECHO, limits={"max_images": 2})
    pictures = [Picture.of(jpeg(level)) for level in (0, 80, 160, 240)]
    one = gateway(server)
    assert one.ask(ask("look", *pictures)).text.startswith("look\nA contact sheet of 2 pictures")
    assert [len(row["images"]) for row in server.log] == [4, 2]
    bounded = gateway(server, max_images=1)
    bounded.ask(ask("look", *pictures))
    assert [len(row["images"]) for row in server.log[2:]] == [1]
    assert key_of(ask("look", *pictures), "m") != key_of(ask("look", *pictures, sheet=4), "m")


@pytest.mark.parametrize("message", ["At most 1 image(s) may be provided in one prompt", "input length exceeded"])
def test_a_server_that_takes_one_picture_gets_one_sheet(serve, message):
    server = serve({"when": {"n_images": [2, 99]}, "behaviour": {"status": 400, "message": message}}, ECHO)
    one = gateway(server, concurrency=1)
    pictures = [Picture.of(jpeg(level)) for level in range(12)]
    assert one.ask(ask("look", *pictures)).text.startswith("look\nA contact sheet of 12 pictures")
    assert [len(row["images"]) for row in server.log] == [12, 6, 3, 2, 1]
    assert one.ask(ask("look", *pictures)).text and len(server.log) == 5


def test_too_long_and_too_many_are_told_apart(serve):
    message = "This model's maximum context length is 4096 tokens; request has at most 100 left"
    server = serve({"behaviour": {"status": 400, "message": message}})
    assert "context overflow" in gateway(server).ask(ask("a")).remedy


def test_a_server_that_is_late_gets_a_remedy(serve):
    server = serve({"behaviour": {"hang": 0.2}})
    one = Gateway(Endpoint(server.url, "m", timeout=0.02), Cache(None), sleep=lambda _: None)
    assert "raise --timeout, or ask fewer at once with --concurrency" in one.ask(ask("a")).remedy


def test_a_sheet_has_its_pictures_row_by_row():
    import io

    sheet = Image.open(io.BytesIO(contact_sheet([jpeg(level) for level in (0, 80, 160)])))
    assert sheet.size == (64, 48)
    corners = [sheet.convert("L").getpixel(place) for place in ((16, 12), (48, 12), (16, 36), (48, 36))]
    assert all(abs(a - b) < 4 for a, b in zip(corners, (0, 80, 160, 0), strict=True))


def test_a_schema_is_left_out_where_the_server_has_none(serve):
    server = serve({"when": {"max_uses": 1}, "behaviour": NO_SCHEMA}, ECHO)
    one = gateway(server)
    for text in ("a", "b"):
        one.ask(ask(text, schema={"type": "object"}))
    assert [("response_format" in row["body"]) for row in server.log] == [True, False, False]


def test_sound_is_a_part():
    (message,) = wire((Message("user", ("listen", Sound.of(b"RIFF"))),))
    assert message["content"][1] == {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


def test_keys_tell_apart_what_matters():
    base = ask("q", Picture.of(jpeg(1)))
    others = [ask("q"), ask("r", Picture.of(jpeg(1))), ask("q", Picture.of(jpeg(9))),
              ask("q", Picture.of(jpeg(1)), sampling=Sampling(seed=9)), ask("q", Picture.of(jpeg(1)), prompts="b 2"),
              base.again("x", "y")]  # fmt: skip
    assert len({key_of(one, "m") for one in [base, *others]}) == 7
    assert key_of(Ask("other", "z", base.messages), "m") == key_of(base, "m")


def test_a_record_is_replayed_without_a_server(serve, tmp_path):
    server = serve(ECHO)
    one = gateway(server, tmp_path / "c.sqlite")
    one.read_all([ask("a"), ask("b")], last_line)
    path = tmp_path / "calls.jsonl"
    assert write_calls(path, one.used.values()) == 2 == len(read_calls(path))
    first = json.loads(path.read_text().splitlines()[0])
    assert set(first) == {"key", "step", "item", "attempt", "model", "prompts", "text", "finish", "prompt_tokens",
                          "completion_tokens", "seconds"}  # fmt: skip
    again = replaying(str(path))
    assert again.ask(ask("a")).text == "a" and again.ask(ask("new")).reason == "absent" and len(server.log) == 2
    with path.open("ab") as file:
        file.write(b'{"key": "cut off')
    assert len(read_calls(path)) == 2
    other = Cache(tmp_path / "other.sqlite")
    assert import_calls(path, other) == 2 and len(list(other.all())) == 2
    mine = replace(next(other.all()), text="mine")
    other.put(mine)
    assert import_calls(path, other, "scripted-vlm") == 2 and other.get(mine.key) == mine  # what was paid for stays
    with pytest.raises(InputError, match="answers of scripted-vlm, none of m; choose the same model with --llm NAME"):
        import_calls(path, other, "m")
    path.write_text("not json\n")
    with pytest.raises(InputError, match="line 1"):
        read_calls(path)
    with pytest.raises(OutputError, match="was not written by zsad"):
        write_calls(path, one.used.values())


def test_answers_are_committed_before_they_are_used(serve, tmp_path):
    one = gateway(serve(ECHO), tmp_path / "c.sqlite")
    one.ask(ask("a"))
    with sqlite3.connect(tmp_path / "c.sqlite") as other:
        assert other.execute("SELECT text FROM replies").fetchall() == [("a",)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_several_runs_share_a_cache(serve, tmp_path):
    server = serve(ECHO)
    runs = [gateway(server, tmp_path / "c.sqlite") for _ in range(4)]
    work = [threading.Thread(target=lambda one=one: [one.ask(ask(str(i))) for i in range(15)]) for one in runs]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert Counter(len(list(one.cache.all())) for one in runs) == {15: 4}


def test_a_cache_that_is_none(tmp_path):
    (tmp_path / "c").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(OutputError, match="answers can't be kept here"):
        Cache(tmp_path / "c")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        Cache(tmp_path / "file" / "c")
    assert default_cache().name == "language.sqlite"
