"""A long history, imported: it is claimed, scrolled through and jumped into."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import expect

from nottermost_chat.testing.browser import PASSWORD, People, Person
from nottermost_chat.testing.process import running_process
from nottermost_chat.testing.slack_export import write_export

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DAYS: Final = 20
A_DAY: Final = 40
FIRST: Final = datetime(2024, 3, 1, 9, tzinfo=UTC)
ROWS_MAX: Final = 700  # in the page at once, of the 800 messages; days and lines included
IMPORT_S: Final = 60.0


class Imported(msgspec.Struct, frozen=True):
    """A chat that holds an import, and the link to claim its owner's account with."""

    url: str
    claim_path: str


def make_export(path: Path) -> Path:
    """Message 0 to 799 in one channel, 40 on each of 20 days, by two people in turn."""
    profiles = {"U1": "keeper", "U2": "pilot"}
    users = [
        {
            "id": id_,
            "name": name,
            "is_owner": id_ == "U1",
            "profile": {"real_name": name.title(), "email": f"{name}@example.org"},
        }
        for id_, name in profiles.items()
    ]
    channel = {
        "id": "C1",
        "name": "logbook",
        "created": int(FIRST.timestamp()),
        "creator": "U1",
        "members": ["U1", "U2"],
    }
    files: dict[str, object] = {"users.json": users, "channels.json": [channel]}
    for day in range(DAYS):
        begin = FIRST + timedelta(days=day)
        files[f"logbook/{begin:%Y-%m-%d}.json"] = [
            {
                "type": "message",
                "user": "U1" if number % 2 else "U2",
                "text": f"entry {day * A_DAY + number}",
                "ts": f"{(begin + timedelta(minutes=10 * number)).timestamp():.6f}",
            }
            for number in range(A_DAY)
        ]
    return write_export(path, files)


@pytest_asyncio.fixture(loop_scope="session")
async def imported(tmp_path: Path) -> AsyncIterator[Imported]:
    """A chat of the test's own, with the export in it."""
    export = make_export(tmp_path / "export.zip")
    command = (
        str(Path(sys.executable).with_name("nottermost")),
        "chat",
        "import",
        str(export),
        "--json",
        "--data",
        str(tmp_path / "data"),
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(IMPORT_S):
        output, _ = await process.communicate()
    assert process.returncode == 0
    report = msgspec.json.decode(output)
    assert report["messages"] == DAYS * A_DAY
    claim = report["claims"][0]["url"]
    async with running_process(tmp_path) as chat:
        yield Imported(chat.url, claim[claim.index("/claim") :])


async def claim(imported: Imported, people: People) -> Person:
    """The owner, signed in through the link, in the channel."""
    keeper = await people.arrive(imported.url, "Keeper", account=False, timezone_id="UTC")
    await keeper.go(imported.claim_path)
    await expect(keeper.page.get_by_role("heading", name="Take over your account")).to_be_visible()
    await keeper.page.get_by_label("Password").fill(PASSWORD)
    await keeper.page.get_by_role("button", name="Take over").click()
    await keeper.open("logbook")
    return keeper


async def test_an_imported_account_is_claimed_once(imported: Imported, people: People) -> None:
    """The link sets the password and shows one's history; used again it says so in a sentence; half of it does too."""
    keeper = await claim(imported, people)
    await keeper.page.get_by_role("button", name="Jump to newest").or_(keeper.message("entry 799")).first.click()
    await expect(keeper.message("entry 799")).to_be_in_viewport()
    other = await people.arrive(imported.url, "Other", account=False)
    other.tolerated.append("status of 4")
    await other.go(imported.claim_path)
    await other.page.get_by_label("Password").fill(PASSWORD)
    await other.page.get_by_role("button", name="Take over").click()
    await expect(other.page.get_by_role("alert")).to_contain_text(".")
    await other.go("/claim")
    await expect(other.page.get_by_role("heading", name="This link is not complete")).to_be_visible()


async def test_scrolling_up_loads_older_and_keeps_its_place(imported: Imported, people: People) -> None:
    """From the newest to the very first; what one looks at stays where it is, and the page stays small."""
    keeper = await claim(imported, people)
    page, list_ = keeper.page, keeper.main.locator(".scroller")
    await expect(keeper.messages.first).to_be_attached()
    newest = keeper.main.get_by_role("button", name="Jump to newest")
    if await newest.is_visible():
        await newest.click()
    await expect(keeper.message("entry 799")).to_be_in_viewport()
    await list_.hover()
    first = await first_number(keeper)
    for _ in range(60):
        before = first
        await list_.evaluate("list => (list.scrollTop = 40)")
        seen = await top_message(keeper)
        if before == 0:
            break
        await page.wait_for_function(
            "before => Number(document.querySelector('main .message .text').innerText.split(' ')[1]) < before",
            arg=before,
        )
        first = await first_number(keeper)
        text, top = seen
        assert abs(await top_of(keeper, text) - top) < 60, f"{text} moved"
        assert await keeper.main.locator(".messages > li").count() < ROWS_MAX
    assert first == 0
    await expect(keeper.main.get_by_role("heading", level=2, name="logbook")).to_be_attached()
    numbers = [int(text.split()[1]) for text in await keeper.texts()]
    assert numbers == list(range(numbers[-1] + 1)), "in order, none missing, none twice"
    await newest.click()
    await expect(keeper.message("entry 799")).to_be_in_viewport()


async def first_number(person: Person) -> int:
    return int((await person.messages.first.locator(".text").inner_text()).split()[1])


async def top_message(person: Person) -> tuple[str, float]:
    """The first message that is wholly on the screen, and where."""
    text, top = await person.main.locator(".scroller").evaluate(
        """(list) => {
          const edge = list.getBoundingClientRect().top;
          const shown = [...list.querySelectorAll(".message")].find((each) => each.getBoundingClientRect().top >= edge + 40);
          return [shown.querySelector(".text").innerText, shown.getBoundingClientRect().top];
        }"""
    )
    return text, top


async def top_of(person: Person, text: str) -> float:
    found = await person.messages.evaluate_all(
        """(all, text) => {
          const one = all.find((each) => each.querySelector(".text").innerText === text);
          return one ? one.getBoundingClientRect().top : 1e6;
        }""",
        text,
    )
    return float(found)


async def test_jump_to_a_date(imported: Imported, people: People) -> None:
    """A day chosen from the calendar shows that day's first message at the top, with history on both sides."""
    keeper = await claim(imported, people)
    dates = keeper.page.get_by_role("dialog", name="Jump to a date")
    await keeper.main.get_by_role("button", name="Jump to a date").first.click()
    await dates.get_by_label("Date", exact=True).fill("2024-03-11")
    await dates.get_by_role("button", name="Jump", exact=True).click()
    await expect(keeper.main.get_by_text("entry 400", exact=True)).to_be_in_viewport()
    await expect(keeper.main.get_by_text("entry 390", exact=True)).not_to_be_in_viewport()
    await keeper.main.get_by_role("button", name="Jump to a date").first.click()
    await dates.get_by_role("button", name="The beginning").click()
    await expect(keeper.main.get_by_text("entry 0", exact=True)).to_be_in_viewport()
    await keeper.main.get_by_role("button", name="Jump to newest").click()
    await expect(keeper.message("entry 799")).to_be_in_viewport()
