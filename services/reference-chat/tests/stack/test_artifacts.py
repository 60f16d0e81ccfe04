"""The cache: fetched once, whole or not at all, and never by two at a time."""

import threading
from pathlib import Path

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.settings import load_settings
from nottermost_chat.stack import artifacts
from nottermost_chat.stack.artifacts import Artifacts, find_program


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """Two at a time: one makes it, the other one waits and finds it."""
    made: list[str] = []
    entered, go_on = threading.Event(), threading.Event()

    def make(place: Path, name: str) -> None:
        entered.set()
        assert go_on.wait(20)
        made.append(name)
        (place / "file").write_text("whole")

    cache = Artifacts(tmp_path, {"kafka": make})
    threads = [threading.Thread(target=cache.fetch, args=(made.append,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.wait(20)
    assert not cache.place("kafka").exists()
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert made == ["fetching kafka", "kafka"]
    assert (cache.require("kafka") / "file").read_text() == "whole"


def test_a_broken_fetch_leaves_nothing(tmp_path: Path) -> None:
    """Half a download is never taken for a whole one."""

    def make(place: Path, name: str) -> None:
        (place / "half").touch()
        raise StartError(f"{name}: the line broke")

    cache = Artifacts(tmp_path, {"kafka": make})
    with pytest.raises(StartError, match="the line broke"):
        cache.fetch(lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [".kafka.lock"]


def test_a_change_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name holds a hash of pom and sources, so an old result is not found any more."""
    jvm = tmp_path / "jvm"
    (jvm / "kafka").mkdir(parents=True)
    monkeypatch.setattr(artifacts, "JVM", jvm)
    places = []
    for text in ("1", "2", "1"):
        (jvm / "kafka" / "pom.xml").write_text(text)
        places.append(Artifacts(tmp_path).place("kafka"))
    assert places[0] == places[2] != places[1]


def test_what_is_missing_is_named_with_the_remedy(tmp_path: Path) -> None:
    """No stack trace: one sentence."""
    with pytest.raises(StartError, match=r"kafka is not in .*: run `make servers`"):
        Artifacts(tmp_path).require("kafka")
    with pytest.raises(StartError, match="sudo apt-get install no-package"):
        find_program("no-program", package="no-package")


def test_the_cache_can_be_elsewhere(tmp_path: Path) -> None:
    """NOTTERMOST_CACHE, as a CI keeps it."""
    assert Artifacts.of({"NOTTERMOST_CACHE": str(tmp_path)}).folder == tmp_path
    load_settings({"NOTTERMOST_CACHE": str(tmp_path)})  # which is no setting of the chat, and no error
    assert Artifacts.of({}).folder == Path.home() / ".cache" / "nottermost" / "servers"
