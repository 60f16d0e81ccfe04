"""Imports a Slack export: its people and places into the directory, its entries through ingest into the log."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from nottermost_chat.adapters.store_log import BATCH_MAX
from nottermost_chat.bootstrap import GIL_SWITCH_S, open_services
from nottermost_chat.model import LogRecord
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import EventLog, Handler
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.workers.indexer import Indexer
from nottermost_chat.workers.projector import Projector

from .places import Places, prepare_places
from .reader import Export, open_export
from .records import Tally, UnreadableFile
from .replay import ALREADY_IMPORTED, Replay

LAG_POLL_S: Final = 0.02
GATHER_S: Final = 0.1  # after a batch of the log: many small ones would sync the disk as often as the import does

Progress = Callable[[int, int], None]  # entries done, entries in all


class Claim(msgspec.Struct, frozen=True):
    """How an imported person takes the account over; `url`: where the chat usually is, good for one use."""

    username: str
    email: str | None
    url: str


class ImportResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an export. `entries_read` = messages + memberships + all of `skipped`.

    What is counted by entries is what this run added: what an earlier one had added is in `skipped`
    as `already_imported`.

    Attributes:
        entries_read: objects in all day files.
        users, conversations: in the export; `…_added`: made by this run.
        memberships: joins and leaves; members: (conversation, member) as it is in the end.
        edits: messages marked as edited, or brought to a later version.
        placeholders: messages made for missing roots of threads; not in `messages`.
        threads: that got their first or further replies; reactions: (message, emoji, user).
        skipped: why entries are neither messages nor memberships; notes: what was changed on the way.
        unreadable: files left out; ignored: files that are no part of an export's messages.
        claims: for the workspace's owner, as long as nobody has taken that account over.
    """

    workspace_id: str
    workspace_name: str
    entries_read: int
    users: int
    users_added: int
    conversations: int
    conversations_added: int
    messages: int
    memberships: int
    members: int
    reactions: int
    threads: int
    files: int
    edits: int
    placeholders: int
    skipped: Mapping[str, int]
    notes: Mapping[str, int]
    unreadable: Sequence[UnreadableFile]
    ignored: Sequence[str]
    claims: Sequence[Claim]

    def summary(self, data: str) -> list[str]:
        """The result in a few lines, with what to do next. `data`: the data folder."""
        added = f"{self.messages} messages, {self.memberships} joins and leaves, {self.reactions} reactions"
        lines = [
            f"{self.workspace_name}: {self.users} users, {self.conversations} conversations, {self.entries_read} entries",
            f"  added: {added}, {self.files} files, {self.edits} edits",
        ]
        lines += [f"  skipped, {reason}: {count}" for reason, count in sorted(self.skipped.items())]
        lines += [f"  noted, {reason}: {count}" for reason, count in sorted(self.notes.items())]
        lines += [f"  unreadable: {file.path} ({file.reason})" for file in self.unreadable]
        for claim in self.claims:
            lines += [f"To look at it as {claim.username}, the workspace's owner: nottermost chat run --data {data}"]
            lines += [f"then choose a password at {claim.url} (good for one use)"]
        return [
            "".join(sign if sign.isprintable() else "\ufffd" for sign in line) for line in lines
        ]  # paths are theirs


async def import_export(services: Embedded, path: Path, *, progress: Progress) -> ImportResult:
    """Import the export at `path`; returns when all of it is stored. The search index follows the log by itself.

    Raises: SlackExportError when the archive is damaged or is none; nothing is changed then.
    """
    with ExitStack() as stack:
        export = await asyncio.to_thread(lambda: stack.enter_context(open_export(path)))
        return await _import(services, export, _name_of(path), progress)


async def run_import(settings: Settings, path: Path, progress: Progress) -> ImportResult:
    """Import into a data folder that no chat runs on; when this returns everything can be searched.

    Raises: SlackExportError, before the folder is touched; StartError when it cannot be used.
    """
    sys.setswitchinterval(GIL_SWITCH_S)
    with ExitStack() as stack:
        export = await asyncio.to_thread(lambda: stack.enter_context(open_export(path)))
        async with open_services(settings) as services, _followers(services):
            return await _import(services, export, _name_of(path), progress)


@asynccontextmanager
async def _followers(services: Embedded) -> AsyncIterator[None]:
    """The consumers of the log that a running chat has; ends when they have seen everything."""
    pictures = Pictures(services.directory.conversations, services.store)
    indexer = Indexer(services.store, services.directory, services.search, rest_share=0)
    projector = Projector(services.directory, pictures, pause_s=0)
    handlers: dict[str, Handler] = {indexer.group: indexer.handle, projector.group: projector.handle}
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(services.log.consume(group, _unhurried(handler)), name=group)
                for group, handler in handlers.items()
            ]
            yield
            for group in handlers:
                await _catch_up(services.log, group)
            for task in running:
                task.cancel()
    except BaseExceptionGroup as group:  # there is one cause, and whoever reports errors knows no groups
        raise group.exceptions[0] from None


def _unhurried(handler: Handler) -> Handler:
    async def handle(records: Sequence[LogRecord]) -> None:
        await handler(records)
        if len(records) < BATCH_MAX:
            await asyncio.sleep(GATHER_S)

    return handle


async def _catch_up(log: EventLog, group: str) -> None:
    while True:
        if await log.lag(group) == 0:
            return
        await asyncio.sleep(LAG_POLL_S)


def _name_of(path: Path) -> str:
    """Without its ending, and without the bytes that are no UTF-8: the name is stored."""
    return path.stem.encode(errors="replace").decode()


async def _import(services: Embedded, export: Export, file_name: str, progress: Progress) -> ImportResult:
    places = await prepare_places(services.directory, export, file_name)
    tally, counts, notes = Tally(), Counter[str](), Counter(places.notes) + Counter(export.notes)
    handles = {slack_id: user.username for slack_id, user in places.users.items()}
    progress(0, export.entries_total)
    for conversation in export.conversations:
        reading = await asyncio.to_thread(export.read, conversation, handles)
        report = _report_after(tally.entries_read, reading.tally.entries_read, export.entries_total, progress)
        await Replay(services, places, conversation, reading.records, counts, notes).run(report)
        tally += reading.tally
        progress(tally.entries_read, export.entries_total)
    skipped = Counter(tally.skipped) + Counter({ALREADY_IMPORTED: counts[ALREADY_IMPORTED]})
    return ImportResult(
        workspace_id=places.workspace.workspace_id,
        workspace_name=places.workspace.name,
        entries_read=tally.entries_read,
        users=len(export.users),
        users_added=places.users_added,
        conversations=len(export.conversations),
        conversations_added=places.conversations_added,
        messages=counts["messages"],
        memberships=counts["memberships"],
        members=sum(len(conversation.member_ids) for conversation in export.conversations),
        reactions=counts["reactions"],
        threads=counts["threads"],
        files=counts["files"],
        edits=counts["edits"],
        placeholders=counts["placeholders"],
        skipped=dict(skipped),
        notes=dict(notes + Counter(tally.notes)),
        unreadable=export.unreadable,
        ignored=export.ignored,
        claims=await _claims(services, places),
    )


def _report_after(done: int, entries: int, total: int, progress: Progress) -> Callable[[int], None]:
    """Progress within a conversation of so many entries; placeholders are records, but no entries."""
    return lambda records: progress(done + min(records, entries), total)


async def _claims(services: Embedded, places: Places) -> list[Claim]:
    """A link for the owner; it replaces one of an earlier run. None once the account is somebody's."""
    accounts = services.directory.accounts
    owner = await accounts.user(places.workspace.created_by)
    if owner is None or not owner.imported or owner.bot or owner.deleted:
        return []
    token = await accounts.create_claim(owner.user_id, valid_s=services.settings.invite_s)
    return [Claim(owner.username, owner.email, f"{services.settings.url}/claim#token={token}")]
