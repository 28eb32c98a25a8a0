"""Keys are planted wherever one could leak from, and looked for in every file and every word afterwards."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from grn.kit.errors import AccessError, MissingError, UsageError
from grn.llm import keys
from grn.llm.keys import Key, Secret, find_key, mask, require_key
from tests.llm.conftest import KEY
from tests.llm.servers import Answer, Server, anthropic_stream, refusal

SECRETS = (KEY, "AIza-planted-planted-planted", "pa-planted-planted-planted-key", "org-planted-organization")


def everything_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".zst":
                data += zstandard.ZstdDecompressor().decompress(data)
            yield path, data


def test_no_file_and_no_word_holds_a_key(server: Server, tmp_path: Path) -> None:
    """Answers, refusals and errors that repeat the key, headers with the account's name, recorded, exported,
    listed, with tracebacks on: neither a file that was written nor a word that was printed holds one of them.
    """
    account = {"anthropic-organization-id": SECRETS[3], "x-echo": KEY}
    echo = anthropic_stream(["your key is ", KEY, "!"])
    echo.headers |= account
    broken = anthropic_stream(["half"])
    broken.chunks, broken.cut = broken.chunks[:3], True
    server.answers = [
        echo,
        refusal(401, f"invalid x-api-key {KEY}", **account),
        refusal(400, f"header x-api-key: {KEY}; authorization: Bearer {SECRETS[2]}"),
        broken,
        Answer(headers={"content-type": "text/html"}, chunks=[KEY.encode()]),
        Answer(
            headers={"content-type": "text/event-stream"}, chunks=[f"event: {KEY}\ndata: {KEY}\n\n".encode()]
        ),
    ]
    environ = {**os.environ, "ANTHROPIC_BASE_URL": server.url, "GRN_HOME": str(tmp_path / "home"),
               "GRN_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}  # fmt: skip
    commands = [["ask", "-m", "haiku", "--record", "t", f"question {n}"] for n in range(6)]
    commands += [["--debug", *command] for command in commands]
    listing = ("llm tape show t --json", "llm spend --calls --json", "llm keys --json", "llm budget")
    commands += [["llm", "tape", "export", "t", str(tmp_path / "out.jsonl")], *map(str.split, listing)]
    server.otherwise = lambda path, body: refusal(400, f"again {KEY}")
    # One process for all of them: the client's import is what takes long.
    code = "import sys\nfrom grn.cli.main import main\nfor command in %r: main(command)" % commands  # noqa: UP031
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert len(server.asked) >= 11
    assert all(header["authorization"] == f"Bearer {KEY}" for header in server.headers)  # it was really sent
    # What the model itself said is the answer: it is printed as it came. The tape keeps it masked.
    said = said.replace(f"your key is {KEY}!".encode(), b"")
    for secret in SECRETS:
        assert secret.encode() not in said
        leaks = [path for path, data in everything_below(tmp_path) if secret.encode() in data]
        assert leaks == []
    assert any(b"[key]" in data for _, data in everything_below(tmp_path))


def test_a_key_does_not_show_itself() -> None:
    """In no representation, format or pickle."""
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]} {Key(secret, 'here')!r} {vars(Key(secret, 'here'))}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret.reveal() == KEY


def test_keys_are_masked_in_others_words() -> None:
    """Those in the environment, those that look like keys, and no more than that."""
    assert mask(f"a {KEY} b") == "a [key] b"
    assert mask("sk-ant-api03-abcdefghijk, AIzaSyA1234567890abcdefghij") == "[key], [key]"
    assert mask("Authorization: Bearer abcdefghijklmnop.q") == "Authorization: [key]"
    assert mask("my own words stay") == "my own words stay"
    assert mask("s3cret", [Secret("s3cret")]) == "[key]"


def test_where_keys_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment first, then the keyring; without either, what to do is said."""
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, name: f"stored-{name}")
    found = find_key("google", {"GOOGLE_API_KEY": " AIza-second "})
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("AIza-second", "environment variable GOOGLE_API_KEY")
    found = find_key("voyage", {})
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("stored-voyage", "system keyring")
    monkeypatch.setattr(keyring, "get_password", lambda service, name: None)
    with pytest.raises(AccessError) as caught:
        require_key("anthropic", {})
    assert caught.value.exit_code == 4
    assert "ANTHROPIC_API_KEY" in (caught.value.hint or "")


def test_a_key_is_stored_in_the_keyring_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """And forgotten there; a system without a keyring is said to have none."""
    import keyring
    from keyring.errors import NoKeyringError

    stored: dict[str, str] = {}
    monkeypatch.setattr(keyring, "set_password", lambda service, name, value: stored.update({name: value}))
    monkeypatch.setattr(keyring, "delete_password", lambda service, name: stored.pop(name))
    keys.store_key("anthropic", f"{KEY}\n")
    assert stored == {"anthropic": KEY}
    keys.forget_key("anthropic")
    assert stored == {}
    with pytest.raises(UsageError):
        keys.store_key("anthropic", " ")

    def refuse(*_: object) -> None:
        raise NoKeyringError(KEY)

    monkeypatch.setattr(keyring, "set_password", refuse)
    with pytest.raises(MissingError) as caught:
        keys.store_key("anthropic", KEY)
    assert KEY not in str(caught.value)
