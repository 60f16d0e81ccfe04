"""What operators do on the command line: look into the archive, see what would go, hold, erase, and erase again."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat import keeping
from nottermost_chat.errors import BadRequest, Conflict, NotFound, StartError
from nottermost_chat.settings import Secrets, Settings

LONG_AGO, SOON = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


async def test_operators_keep_and_remove(tmp_path: Path, opened: Any) -> None:
    """One folder after the other as an operator would; each command says what it did."""
    folder, secrets = tmp_path / "data", Secrets()
    settings = Settings(data=folder, port=0)
    async with opened(folder) as chat:
        ann, bob = await chat.join("ann"), await chat.join("bob")
        place = await ann.group("G", bob)
        for number in range(3):
            await ann.say(place, f"secret {number}")
        await chat.archive_all(place)
        user_id = ann.user_id
    with pytest.raises(StartError):
        await keeping.query_archive(Settings(data=tmp_path / "nothing"), place, LONG_AGO, SOON, "", 10)
    found = await keeping.query_archive(settings, place, LONG_AGO, SOON, "SECRET", 2)
    assert [message.body for message in found] == ["secret 0", "secret 1"]

    assert await keeping.plan_retention(settings, secrets) == []
    limited = Settings(data=folder, port=0, warm_days=30, clock_ahead_s=0)
    assert await keeping.plan_retention(limited, secrets) == []  # nothing is so old

    with pytest.raises(BadRequest):
        await keeping.add_hold(settings, secrets, "case 7", None, None, None)
    with pytest.raises(NotFound):
        await keeping.add_hold(settings, secrets, "case 7", None, "nobody", None)
    hold = await keeping.add_hold(settings, secrets, "case 7", None, user_id, None)

    with pytest.raises(Conflict):
        await keeping.erase_user(settings, secrets, "ann", "bob")
    shutil.copytree(folder, tmp_path / "backup")
    (waits,) = await keeping.erase_user(settings, secrets, "ann", "ann")
    assert (waits.user_id, waits.state, waits.held) == (user_id, "requested", True)
    await keeping.release_hold(settings, secrets, hold.hold_id)
    (done,) = await keeping.replay_erasures(settings, secrets, None)
    assert (done.state, done.held) == ("finished", False)
    assert await keeping.query_archive(settings, place, LONG_AGO, SOON, "secret", 10) == []

    restored = Settings(data=tmp_path / "backup", port=0)
    await keeping.release_hold(restored, secrets, hold.hold_id)
    assert await keeping.query_archive(restored, place, LONG_AGO, SOON, "secret", 10)
    with pytest.raises(BadRequest):
        await keeping.replay_erasures(restored, secrets, tmp_path / "nothing")
    (again,) = await keeping.replay_erasures(restored, secrets, folder / "archive" / "erasures")
    assert (again.erasure_id, again.state) == (done.erasure_id, "finished")
    assert await keeping.query_archive(restored, place, LONG_AGO, SOON, "secret", 10) == []
