"""The server dies without warning: the page says so, keeps what is written, and ends up with what is stored."""

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Error, expect

from nottermost_chat.testing.browser import OFFLINE, People, Person
from nottermost_chat.testing.process import Chat, OwnChat
from nottermost_chat.testing.running import wait_until
from nottermost_chat.testing.silence import running_wire

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BACK_MS = 45_000  # the page waits up to 30 s between two tries, at random


async def expect_texts(person: Person, texts: list[str]) -> None:
    """Exactly these are shown, in this order, and none of them waits any more."""
    await expect(person.messages.locator(".text")).to_have_text(texts, timeout=BACK_MS)
    await expect(person.main.get_by_role("img", name="Waiting to be sent")).to_have_count(0)


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(own_chat: OwnChat, people: People) -> None:
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
    with suppress(Error):  # Chromium loads a failed page again by itself: then this comes too late, and it is there
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


async def test_short_interruptions_go_unseen(own_chat: OwnChat, people: People) -> None:
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


async def test_a_connection_that_falls_silent_is_given_up(chat: Chat, people: People) -> None:
    """Nobody closes it and nothing comes: the page notices by its ping, says so, and ends up with what was missed."""
    async with running_wire(chat.port) as wire:
        ann, bob = await people.arrive(chat.url, "Ann"), await people.arrive(wire.url, "Bob")
        quay = await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
        await bob.page.clock.install()
        await bob.sit_down("quay")
        await ann.say(quay, "one")
        await expect_texts(bob, ["one"])
        bob.tolerated.append(OFFLINE)
        wire.fall_silent()
        await ann.say(quay, "two")
        await bob.page.evaluate("dispatchEvent(new Event('online'))")  # asks at once, as the heartbeat does in time
        await bob.page.clock.fast_forward(14_000)
        await expect(bob.page.get_by_text("Reconnecting…")).to_be_hidden()
        await bob.page.clock.fast_forward(2_000)
        await expect(bob.page.get_by_text("Reconnecting…")).to_be_visible()
        tries = wire.connections
        await bob.page.clock.fast_forward(2_000)

        async def is_tried() -> bool:
            return wire.connections > tries

        await wait_until(is_tried)
        await bob.page.clock.fast_forward(16_000)  # nobody answers the handshake either
        wire.silent = False
        await expect_texts(bob, ["one", "two"])
        await expect(bob.page.get_by_text("Reconnecting…")).to_be_hidden()


@pytest.mark.parametrize("own_chat", [{"NOTTERMOST_LIMITS__RESUME_ENTRIES_MAX": "5"}], indirect=True)
async def test_starting_over_keeps_the_place(own_chat: OwnChat, people: People) -> None:
    """More was missed than is sent again: who reads further up goes on reading there, who reads the end is at the end."""
    async with running_wire(own_chat.port) as wire:
        ann, bob = await people.arrive(own_chat.url, "Ann"), await people.arrive(wire.url, "Bob")
        quay = await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
        for number in range(90):
            await ann.say(quay, f"entry {number}")
        read = f"/api/messages/conversations/{quay}/read"
        await bob.rest.call("POST", read, {"last_read_seq": 91})
        await bob.sit_down("quay")
        await expect(bob.message("entry 89")).to_be_in_viewport()
        for _ in range(5):  # older messages come meanwhile, and what is scrolled to is drawn anew
            with suppress(Error):
                await bob.message("entry 40").scroll_into_view_if_needed()
                break
        await expect(bob.messages).to_have_count(90)  # what is older came while scrolling there
        place = await bob.message("entry 40").bounding_box()
        assert place is not None

        bob.tolerated.append(OFFLINE)
        wire.cut()
        for number in range(90, 100):
            await ann.say(quay, f"entry {number}")
        wire.down = False
        jump = bob.main.get_by_role("button", name="10 new messages")
        await expect(jump).to_be_visible(timeout=BACK_MS)
        await expect(bob.message("entry 40")).to_be_in_viewport()
        now = await bob.message("entry 40").bounding_box()
        assert now is not None
        assert abs(now["y"] - place["y"]) < 2
        await jump.click()
        await expect(bob.message("entry 99")).to_be_in_viewport()
        numbers = [int(text.split()[1]) for text in await bob.texts()]
        assert numbers == list(range(numbers[0], 100)), "in order, none missing, none twice"

        wire.cut()
        for number in range(100, 110):
            await ann.say(quay, f"entry {number}")
        wire.down = False
        await expect(bob.message("entry 109")).to_be_in_viewport(timeout=BACK_MS)
