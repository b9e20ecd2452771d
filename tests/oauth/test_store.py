"""Where logins are kept: who may read them, what becomes of damage, and who waits for whom."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import platformdirs
import pytest
from oauth.logins import ACCESS, REFRESH, SECRET, URL, environment_of, login, store_in

from diagnose.errors import UsageError
from diagnose.oauth.store import canonical_resource, open_store, state_folder

posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")


def only_file(folder: Path) -> Path:
    (found,) = folder.glob("logins/*.json")
    return found


def test_a_login_is_found_again_whole(tmp_path: Path) -> None:
    kept = login(scope="a b", resource="https://mcp.example.com/mcp")
    place = store_in(tmp_path).put(kept)
    assert kept == store_in(tmp_path).find(URL)
    assert f"the file {only_file(tmp_path)}" == place == store_in(tmp_path).place(kept)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("https://MCP.example.com:443/mcp", True),
        ("https://mcp.example.com/mcp#x", True),
        ("https://mcp.example.com/mcp/", False),
        ("https://mcp.example.com/mcp?tenant=7", False),
        ("http://mcp.example.com/mcp", False),
        ("https://mcp.example.com:8443/mcp", False),
        ("https://mcp.example.com.evil.test/mcp", False),
    ],
)
def test_a_login_belongs_to_one_url_in_every_spelling(tmp_path: Path, asked: str, found: bool) -> None:
    store_in(tmp_path).put(login())
    assert found == (store_in(tmp_path).find(asked) is not None)
    assert found == store_in(tmp_path).holds(asked)


def test_a_login_belongs_to_its_issuer_byte_by_byte(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(login(issuer="https://a.test"))
    store.put(login(issuer="https://a.test/"))
    assert "https://a.test/" == getattr(store.find(URL, "https://a.test/"), "issuer", None)
    assert store.find(URL, "https://b.test") is None
    assert 2 == len(store.all())


def test_without_an_issuer_the_newest_login_is_found(tmp_path: Path) -> None:
    store, now = store_in(tmp_path), datetime.now(UTC)
    store.put(login(issuer="https://new.test", obtained_at=now))
    store.put(login(issuer="https://old.test", obtained_at=now - timedelta(days=1)))
    assert "https://new.test" == getattr(store.find(URL), "issuer", None)


def test_what_is_removed_is_given_back_and_gone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(login(issuer="https://a.test"))
    store.put(login(issuer="https://b.test"))
    assert ["https://a.test"] == [gone.issuer for gone in store.remove(URL, "https://a.test")]
    assert ["https://b.test"] == [left.issuer for left in store.all()]
    assert 1 == len(store.remove(URL))
    assert () == store.remove(URL)


def test_looking_for_a_login_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path / "state")
    assert (None, (), False, ()) == (store.find(URL), store.all(), store.holds(URL), store.remove(URL))
    assert not (tmp_path / "state").exists()


def test_looking_for_a_login_imports_nothing_that_takes_time(tmp_path: Path) -> None:
    code = (
        "import os, sys; from diagnose.oauth.store import open_store;"
        f"open_store(os.environ).find({URL!r});"
        "print(*[n for n in ('keyring', 'filelock', 'platformdirs', 'httpx2', 'mcp', 'anyio')"
        " if n in sys.modules])"
    )
    env = {**os.environ, "DIAGNOSE_STATE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert "" == done.stdout.strip()


@posix
def test_nobody_else_can_read_what_is_stored(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store_in(tmp_path / "state").put(login())
    finally:
        os.umask(before)
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "state" / "logins").iterdir()
        if path.is_file()
    }
    assert ({0o600}, 0o700) == (modes, stat.S_IMODE((tmp_path / "state" / "logins").stat().st_mode))


def open_to_the_group(file: Path) -> None:
    file.chmod(0o640)


def open_folder(file: Path) -> None:
    file.parent.chmod(0o755)


def linked(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def linked_folder(file: Path) -> None:
    folder = file.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def named_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@posix
@pytest.mark.parametrize(
    "spoil", [open_to_the_group, open_folder, linked, linked_folder, named_pipe, a_folder]
)
def test_a_place_that_is_not_private_is_refused_with_what_to_type(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    store_in(tmp_path).put(login())
    spoil(only_file(tmp_path))
    with pytest.raises(UsageError) as caught:
        store_in(tmp_path).find(URL)
    assert "CFG020" == caught.value.code
    assert str(tmp_path) in str(caught.value)
    assert "canary" not in str(caught.value)


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    store_in(tmp_path).put(login())
    os.chown(only_file(tmp_path), 12345, 12345)
    with pytest.raises(UsageError, match="belongs to another user"):
        store_in(tmp_path).find(URL)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 2}',
        b'{"kept_in": ["keyring"]}',
        b"{" + b" " * 300_000 + b"}",
    ],
    ids=["empty", "cut", "array", "null", "bytes", "nested", "newer", "odd", "huge"],
)
def test_a_damaged_login_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    store_in(tmp_path).put(login())
    only_file(tmp_path).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        store_in(tmp_path).find(URL)
    assert ("CFG021", True) == (caught.value.code, "log in again" in caught.value.hint)


def test_the_text_of_a_damaged_login_is_not_quoted(tmp_path: Path) -> None:
    store_in(tmp_path).put(login())
    document = json.loads(only_file(tmp_path).read_bytes())
    only_file(tmp_path).write_text(json.dumps({**document, "expires_at": SECRET}), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        store_in(tmp_path).find(URL)
    assert not {ACCESS, REFRESH, SECRET} & set(str(caught.value).split())
    assert "canary" not in str(caught.value)


def test_a_login_that_was_stored_for_another_server_is_not_used_for_this_one(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(login(resource_url="https://other.test/mcp"))
    wrong = only_file(tmp_path)
    store.put(login())
    right = next(path for path in wrong.parent.glob("*.json") if path != wrong)
    wrong.replace(right)
    with pytest.raises(UsageError, match="CFG021"):
        store.find(URL)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(UsageError, match=r"CFG023.*DIAGNOSE_STATE_DIR"):
        store_in(tmp_path / "state").put(login())


FULL_DISK = """
import os, resource, sys
from diagnose.errors import UsageError
from diagnose.oauth.store import open_store
from oauth.logins import URL, login
store = open_store(os.environ)
store.put(login())
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    store.put(login(access_token="another"))
except UsageError as refusal:
    print(refusal)
print(store.find(URL).access_token)
"""


@posix
def test_a_full_disk_leaves_the_old_login_and_no_rest(tmp_path: Path) -> None:
    env = {**os.environ, **environment_of(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], capture_output=True, text=True, check=True, env=env
    )
    refusal, kept = done.stdout.splitlines()
    assert (True, ACCESS) == (refusal.startswith("CFG023 the login cannot be stored"), kept)
    assert [] == [path.name for path in (tmp_path / "logins").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("remove", [False, True], ids=["written", "removed"])
def test_what_a_killed_writer_left_behind_is_swept_away(tmp_path: Path, remove: bool) -> None:
    store = store_in(tmp_path)
    store.put(login())
    file = only_file(tmp_path)
    left = file.with_name(f".{file.name}.0123456789abcdef")
    left.write_text(ACCESS, encoding="utf-8")
    if remove:
        store.remove(URL)
    else:
        store.put(login())
    assert not left.exists()


def test_a_user_without_a_home_has_no_login_and_is_told_when_one_is_to_be_stored() -> None:
    from diagnose.oauth.store import LoginStore

    store = LoginStore(None, {})
    assert (None, False) == (store.find(URL), store.holds(URL))
    with pytest.raises(UsageError, match="no home directory"):
        store.put(login())


def test_the_folder_is_the_one_that_the_platform_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIAGNOSE_STATE_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert platformdirs.user_state_path("connector-diagnose") == state_folder(os.environ)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG is for other systems")
@pytest.mark.parametrize(("named", "used"), [("/x/state", "/x/state"), ("relative", "/home/u/.local/state")])
def test_the_folder_follows_xdg_where_it_is_absolute(named: str, used: str) -> None:
    found = state_folder({"XDG_STATE_HOME": named, "HOME": "/home/u"})
    assert Path(used, "connector-diagnose") == found


def test_one_spelling_stands_for_a_url() -> None:
    assert "https://h.test/" == canonical_resource("HTTPS://H.test:443")


def test_a_lock_is_not_given_twice_and_does_not_stop_the_loop(tmp_path: Path) -> None:
    store, order = store_in(tmp_path), []

    async def second(turn: anyio.Event) -> None:
        await turn.wait()
        async with store.locked_async(URL):
            order.append("second")

    async def main() -> None:
        turn = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(second, turn)
            async with store.locked_async(URL):
                turn.set()
                for _ in range(5):  # the loop goes on while the other one waits
                    await anyio.lowlevel.checkpoint()
                order.append("first")

    anyio.run(main)
    assert ["first", "second"] == order


def _write_many(folder: str, number: int) -> None:
    store = open_store(environment_of(Path(folder)))
    for turn in range(20):
        store.put(login(access_token=f"token-{number}-{turn}"))
        found = store.find(URL)
        assert found is not None
        assert found.access_token.startswith("token-")


def test_writers_at_the_same_time_never_leave_half_a_login(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(tmp_path), number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [0, 0, 0] == [writer.exitcode for writer in writers]
    found = store_in(tmp_path).find(URL)
    assert found is not None
    assert found.access_token.endswith("-19")
    assert [] == [path.name for path in (tmp_path / "logins").iterdir() if path.name.startswith(".")]
