"""The server dies without warning: the page says so, keeps what is written, and ends up with what is stored."""

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Error, expect

from nottermost_chat.testing.browser import OFFLINE, People, Person
from nottermost_chat.testing.process import ChatProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BACK_MS = 45_000  # the page waits up to 30 s between two tries, at random


async def expect_texts(person: Person, texts: list[str]) -> None:
    """Exactly these are shown, in this order, and none of them waits any more."""
    await expect(person.messages.locator(".text")).to_have_text(texts, timeout=BACK_MS)
    await expect(person.main.get_by_role("img", name="Waiting to be sent")).to_have_count(0)


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(own_chat: ChatProcess, people: People) -> None:
    """Messages written by both while the server is dead wait, go out once each, and a reload shows the same."""
    ann, bob = await people.arrive_all(own_chat.url, "Ann", "Bob")
    quay = await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
    for person in (ann, bob):
        person.tolerated.append(OFFLINE)
    await asyncio.gather(ann.sit_down("quay"), bob.sit_down("quay"))
    for number in range(3):
        await ann.write(f"before {number}")
    await expect_texts(bob, [f"before {number}" for number in range(3)])

    await ann.write("at the moment of death")  # acknowledged or not: that is not known
    await own_chat.kill()
    for person in (ann, bob):
        await expect(person.page.get_by_text("Reconnecting…")).to_be_visible()
    for number in range(3):
        for person in (ann, bob):
            await person.write(f"meanwhile {number} of {person.name}")
            await expect(
                person.message(f"meanwhile {number}").get_by_role("img", name="Waiting to be sent")
            ).to_be_visible()
    with suppress(Error):  # the page is gone with the server, what was written is not
        await ann.page.reload()
    await own_chat.start()
    await ann.page.goto(f"{ann.url}/")
    await ann.open("quay")
    for person in (ann, bob):
        await expect(person.page.get_by_text("Reconnecting…")).to_be_hidden(timeout=BACK_MS)
        await expect(person.messages).to_have_count(10, timeout=BACK_MS)
        await expect(person.main.get_by_role("img", name="Waiting to be sent")).to_have_count(0)

    stored = await ann.history(quay)
    assert len(stored) == len(set(stored)) == 10
    for name in ("Ann", "Bob"):
        assert [text for text in stored if text.endswith(name)] == [
            f"meanwhile {number} of {name}" for number in range(3)
        ]
    for person in (ann, bob):
        await expect_texts(person, stored)
        await person.page.reload()
        await expect_texts(person, stored)
    await ann.write("after")
    await expect(bob.message("after")).to_be_visible()


async def test_short_interruptions_go_unseen(own_chat: ChatProcess, people: People) -> None:
    """What others wrote while the line was cut is there when it is back, once."""
    ann, bob = await people.arrive_all(own_chat.url, "Ann", "Bob")
    quay = await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
    await bob.log_in()
    await bob.open("quay")
    await ann.say(quay, "one")
    await expect_texts(bob, ["one"])
    bob.tolerated.append(OFFLINE)
    await own_chat.kill()
    await own_chat.start()
    for text in ("two", "three"):
        await ann.say(quay, text)
    await expect_texts(bob, ["one", "two", "three"])
