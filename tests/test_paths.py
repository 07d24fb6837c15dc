import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zsad import paths
from zsad.errors import DownloadError, ModelError, PromptError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def server(answers):
    """A stand-in for a file host: path -> bytes, or a status; what was asked for is recorded."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answer = answers.get(self.path, 404)
            if isinstance(answer, int):
                self.send_error(answer)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        running.server_close()


def good(content):
    return lambda path: "" if path.read_bytes() == content else "its content is another"


def test_places_follow_the_environment(monkeypatch, tmp_path, home):
    assert paths.user_dir() == home and paths.cache_dir() == home / "cache" and paths.user_prompts() == home / "prompts"
    monkeypatch.delenv("ZSAD_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert paths.user_dir() == tmp_path / "data" / "zsad" and paths.cache_dir() == tmp_path / "cache" / "zsad"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert paths.cache_dir() == tmp_path / "local" / "zsad" / "cache"


def test_prompts_are_looked_up_path_first_then_user_then_shipped(home, tmp_path):
    assert paths.find_prompt("industrial").parent == paths.shipped_prompts()
    own = home / "prompts" / "industrial.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("kind: bank")
    assert paths.find_prompt("industrial") == own
    here = tmp_path / "industrial.yaml"
    here.write_text("kind: bank")
    assert paths.find_prompt(str(here)) == here
    (home / "prompts" / "anomalyclip-visa.safetensors").write_bytes(b"x")
    assert paths.find_prompt("anomalyclip:visa").name == "anomalyclip-visa.safetensors"
    assert {"industrial", "medical", "anomalyclip-visa"} <= set(paths.prompt_names())


def test_unknown_prompts_and_assets(tmp_path):
    with pytest.raises(PromptError, match=r"there are .*industrial"):
        paths.find_prompt("industrail")
    with pytest.raises(PromptError, match="import-prompt anomalyclip:mvtec"):
        paths.find_prompt("anomalyclip:mvtec")
    with pytest.raises(PromptError, match="no such prompt file"):
        paths.find_prompt(str(tmp_path / "no.safetensors"))
    with pytest.raises(ModelError, match="install zsad again"):
        paths.asset("nothing.onnx")


def test_fetch_once(tmp_path):
    target = tmp_path / "deep" / "file.bin"
    with server({"/a": b"content"}) as (url, asked):
        for _ in range(2):
            assert paths.fetch(f"{url}/a", target, good(b"content"), max_bytes=100).read_bytes() == b"content"
        target.write_bytes(b"damaged")
        paths.fetch(f"{url}/a", target, good(b"content"), max_bytes=100)
    assert asked == ["/a", "/a"] and target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("path", "limit", "words"),
    [("/absent", 100, "404"), ("/wrong", 100, "content is another"), ("/long", 10, "longer than 10 bytes")],
)
def test_fetch_says_what_to_put_where(tmp_path, path, limit, words):
    target = tmp_path / "file.bin"
    with server({"/wrong": b"other", "/long": b"x" * 1000}) as (url, _), pytest.raises(DownloadError) as error:
        paths.fetch(url + path, target, good(b"content"), max_bytes=limit)
    text = str(error.value)
    assert words in text and str(target) in text and "\n" not in text
    assert list(tmp_path.iterdir()) == []


def test_fetch_offline_and_unwritable(tmp_path):
    with server({}) as (url, _):
        pass  # closed: nothing listens there any more
    with pytest.raises(DownloadError, match=r"could not be fetched .*put it at"):
        paths.fetch(f"{url}/a", tmp_path / "a", good(b""), max_bytes=10)
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="ZSAD_HOME"):
        paths.fetch(f"{url}/a", tmp_path / "file" / "a", good(b""), max_bytes=10)
    for unsafe in ("http://example.org/a", "file:///etc/hostname", "ftp://127.0.0.1/a"):
        with pytest.raises(DownloadError, match="only https"):
            paths.fetch(unsafe, tmp_path / "a", good(b""), max_bytes=10)


def test_a_hub_that_answers_is_used(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with server({}) as (url, _):
        monkeypatch.setattr(constants, "ENDPOINT", url)  # it answers 404 and 501: an answer all the same
        with paths.hub() as why:
            assert why(OSError("own words")) == "own words" and not constants.HF_HUB_OFFLINE


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch):
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with server({}) as (url, _):
        pass  # closed
    monkeypatch.setattr(constants, "ENDPOINT", url)
    with paths.hub() as why:
        assert constants.HF_HUB_OFFLINE and why(OSError("own words")) == "own words"
        wrapped = RuntimeError("something failed")
        wrapped.__context__ = LocalEntryNotFoundError("not in the cache")
        assert "127.0.0.1 can't be reached" in why(wrapped)
    assert not constants.HF_HUB_OFFLINE
    with pytest.raises(RuntimeError), paths.hub():
        raise RuntimeError
    assert not constants.HF_HUB_OFFLINE
    with paths.hub(needed=False):
        assert not constants.HF_HUB_OFFLINE


def test_git_blob_hash(tmp_path):
    """The hash that `git hash-object` prints for this content."""
    (tmp_path / "f").write_bytes(b"hello\n")
    assert paths.git_blob_sha1(tmp_path / "f") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert hashlib.sha1(b"blob 6\0hello\n").hexdigest() == "ce013625030ba8dba906f756967f9e9ca394464a"
