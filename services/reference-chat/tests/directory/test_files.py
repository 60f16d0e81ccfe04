"""Files: from announced to stored to attached."""

from collections.abc import Callable

import pytest

from nottermost_chat.directory import Directory, FileStatus
from nottermost_chat.errors import Conflict, NotFound

Wait = Callable[[float], None]
NOW = 1_700_000_000_000


async def test_an_upload_is_stored_once(directory: Directory) -> None:
    """What was sniffed replaces what was announced; the bytes never change afterwards."""
    file = await directory.files.create("c1", "ada", "cat.gif", 10)
    assert (file.status, file.size, file.content_type) == (FileStatus.PENDING, 10, "")
    stored = await directory.files.mark_stored(
        file.file_id, size=12, content_type="image/gif", sha256="ab", width=3, height=4, thumbnail=True
    )
    assert (stored.status, stored.size, stored.width, stored.thumbnail) == (FileStatus.STORED, 12, 3, True)
    assert await directory.files.get(file.file_id) == stored
    with pytest.raises(Conflict):
        await directory.files.mark_stored(file.file_id, size=1, content_type="text/plain", sha256="cd")
    with pytest.raises(NotFound):
        await directory.files.mark_stored("nothing", size=1, content_type="text/plain", sha256="cd")
    assert await directory.files.get_many([file.file_id, "nothing"]) == {file.file_id: stored}
    assert await directory.files.names([file.file_id]) == {file.file_id: "cat.gif"}


async def test_only_ones_own_uploads_are_attached_and_once(directory: Directory) -> None:
    """Own, of that conversation, uploaded, not attached yet: anything else is not attachable."""
    files = directory.files
    mine = await files.create("c1", "ada", "mine", 1)
    pending = await files.create("c1", "ada", "pending", 1)
    elsewhere = await files.create("c2", "ada", "elsewhere", 1)
    others = await files.create("c1", "bob", "others", 1)
    for file in (mine, elsewhere, others):
        await files.mark_stored(file.file_id, size=1, content_type="text/plain", sha256="")
    everything = [file.file_id for file in (mine, pending, elsewhere, others)]
    assert await files.attachable([*everything, "nothing"], "ada", "c1") == {mine.file_id}
    await files.attach([mine.file_id], "m1")
    await files.attach([mine.file_id], "m2")
    assert await files.attachable(everything, "ada", "c1") == frozenset()
    attached = await files.get(mine.file_id)
    assert attached is not None
    assert attached.message_id == "m1"


async def test_what_nobody_sent_is_collected(directory: Directory, wait: Wait) -> None:
    """Uploads that no message carries become stale, stored or not; attached and external ones do not."""
    files = directory.files
    pending = await files.create("c1", "ada", "pending", 1)
    wait(1)
    stored = await files.create("c1", "ada", "stored", 1)
    sent = await files.create("c1", "ada", "sent", 1)
    await files.attach([sent.file_id], "m1")
    await files.mark_stored(stored.file_id, size=1, content_type="text/plain", sha256="")
    external = await files.create_external("c1", "ada", "F1", "https://example.org/f", file_id="F1")
    assert await files.create_external("c1", "ada", "other", "https://example.org/g", file_id="F1") == external
    assert (external.status, external.external_url) == (FileStatus.EXTERNAL, "https://example.org/f")
    assert await files.stale(NOW) == []
    assert [file.file_id for file in await files.stale(NOW + 2000)] == [pending.file_id, stored.file_id]
    assert [file.file_id for file in await files.stale(NOW + 2000, limit=1)] == [pending.file_id]
    await files.remove([pending.file_id, stored.file_id])
    assert await files.stale(NOW + 2000) == []
