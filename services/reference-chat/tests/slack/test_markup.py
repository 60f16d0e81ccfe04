"""Slack's markup becomes ours: nothing is lost, nothing is decoded twice, nothing raises."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.slack.blocks import slack_text
from nottermost_chat.slack.markup import Names, escape, to_text
from nottermost_chat.slack.node import Node

NAMES = Names(users={"U1": "baker", "W2": "miller"}, channels={"C1": "plaza", "G1": "private-channel"})

SLACKISH = st.lists(
    st.sampled_from(["<", ">", "`", "```", "|", "@", "#", "!", "&", "&amp;", "&lt;", "U1", "C1", "!date^", "!subteam^", "\n"])
    | st.text(max_size=4)
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("slack", "ours"),
    [
        ("<@U1> and <@W2|someone>", "@baker and @miller"),
        ("<@U1>Good<@W2>, <@U1><@W2>. <@U1>-ish", "@baker Good @miller, @baker @miller. @baker -ish"),
        ("see<https://example.org>or<#C1>now", "see https://example.org or #plaza now"),
        ("(<@U1>) *<@U1>* &lt;<@U1>&gt;", "(@baker) *@baker* <@baker>"),
        ("<@U9|stranger> and <@U9>", "@stranger and @U9"),
        ("<#C1|another name> <#C9|market> <#C9>", "#plaza #market #C9"),
        ("<#G1|secret-plans>", "#private-channel"),
        ("<!channel> <!here> <!everyone> <!here|here> <!group>", "@channel @here @everyone @here @channel"),
        ("<!subteam^S1|@team> <!subteam^S2>", "@team @S2"),
        ("<!date^1614816000^{date} at {time}|today>", "today"),
        ("<!date^1614816000^{date}> <!date^soon>", "2021-03-04 00:00 UTC soon"),
        ("<!some_command|as text> <!other>", "as text other"),
        ("<https://example.org>", "https://example.org"),
        ("<https://example.org|prices>", "[prices](https://example.org)"),
        ("<http://example.org|example.org>", "http://example.org"),
        ("<https://example.org/a_(b)|b>", "[b](https://example.org/a_%28b%29)"),
        ("<https://example.org/?a=1&amp;b=2>", "https://example.org/?a=1&b=2"),
        ("<mailto:a@example.org|a@example.org>", "a@example.org"),
        ("<tel:+4912345|+4912345>", "+4912345"),
        ("&lt;b&gt; &amp;amp; &amp;lt; &quot;", "<b> &amp; &lt; &quot;"),
        ("`<http://x.org|x.org> &lt;` ```<https://y.org>\n&amp;```", "`x.org <` ```https://y.org\n&```"),
        ("a ` b <http://x.org|foo`bar>", "a ` b [foo`bar](http://x.org)"),
        ("*bold* _italic_ ~gone~ :bread: &gt; quote", "*bold* _italic_ ~gone~ :bread: > quote"),
        ("1 < 2 <> <@> <not a thing> <", "1 < 2 <> <@> <not a thing> <"),
    ],
)
def test_markup_becomes_ours(slack: str, ours: str) -> None:
    """Each construct of Slack's markup, and what only looks like one."""
    assert to_text(slack, NAMES).text == ours


def test_mentions_are_collected() -> None:
    """Users we know, teams and the channel are told apart from the text; users we do not know are text only."""
    rendered = to_text("<@U1> <@U1> <@U9> <!here> <!subteam^S1|@team> &lt;@W2&gt;", NAMES)
    assert rendered.user_ids == {"U1"}
    assert rendered.team_handles == {"team"}
    assert rendered.mentions_channel
    assert not to_text("nobody", NAMES).mentions_channel


@given(text=st.text())
def test_escaped_text_comes_back(text: str) -> None:
    """Entities are decoded exactly once, in code and outside."""
    assert to_text(escape(text), NAMES).text == text
    assert to_text(escape(escape(text)), NAMES).text == escape(text)


@given(text=SLACKISH)
def test_any_text_is_rendered(text: str) -> None:
    """Nothing raises, and only users we know are mentioned."""
    rendered = to_text(text, NAMES)
    assert rendered.user_ids <= NAMES.users.keys()
    assert rendered.text or not text


@pytest.mark.parametrize("unit", ["`", "<", "``` ", "`<", "`<a> ", "<a|", "&amp", "<@U1", "`a\n"])
def test_rendering_takes_linear_time(unit: str) -> None:
    """A message made of half-open markup costs no more than a long one."""
    start = time.perf_counter()
    to_text(unit * 50_000, NAMES)
    assert time.perf_counter() - start < 2


def rich(*elements: object, kind: str = "rich_text_section", **fields: object) -> dict[str, object]:
    """A message without text and with one block of rich text."""
    return {
        "text": "",
        "blocks": [{"type": "rich_text", "elements": [{"type": kind, "elements": [*elements], **fields}]}],
    }


def shown(message: object) -> str:
    return to_text(slack_text(Node(message)), NAMES).text


@given(text=st.text(min_size=1))
def test_text_in_blocks_comes_back(text: str) -> None:
    """Text inside rich text is plain, not markup."""
    assert shown(rich({"type": "text", "text": text})) == text


def test_rich_text_is_used_without_text() -> None:
    """Every element of rich text has a rendering; with a text of its own a message keeps that."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": "item"}]}
    bold = {"type": "text", "text": "so ", "style": {"bold": True, "italic": True}}
    assert (
        shown(rich(bold, {"type": "user", "user_id": "U1"}, {"type": "broadcast", "range": "here"}))
        == "*_so_* @baker @here"
    )
    assert shown(rich({"type": "link", "url": "https://e.org/?a|b", "text": "<e>"})) == "[<e>](https://e.org/?a%7Cb)"
    assert shown(rich({"type": "emoji", "name": "bread"}, {"type": "channel", "channel_id": "C1"})) == ":bread:#plaza"
    assert shown(rich({"type": "usergroup", "usergroup_id": "S1"}, {"type": "color", "value": "#fff"})) == "@S1#fff"
    assert shown(rich({"type": "date", "timestamp": 1614816000})) == "2021-03-04 00:00 UTC"
    assert shown(rich(section, section, kind="rich_text_list", style="ordered", offset=1)) == "2. item\n3. item"
    assert shown(rich(section, kind="rich_text_list", indent=1)) == "    • item"
    assert shown(rich({"type": "text", "text": "a\nb"}, kind="rich_text_quote")) == "> a\n> b"
    assert shown(rich({"type": "text", "text": "a"}, kind="rich_text_preformatted")) == "```\na\n```"
    assert shown({**rich({"type": "text", "text": "blocks"}), "text": "text"}) == "text"
    assert shown({**rich({"type": "text", "text": "blocks"}), "text": "This content can't be displayed."}) == "blocks"


def test_other_blocks_show_their_text() -> None:
    """What bots build messages from; controls have nothing to show."""
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Oven &amp; co"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*hot*"},
            "fields": [{"type": "mrkdwn", "text": "<@U1>"}],
        },
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "by"}, {"type": "image", "alt_text": "a loaf"}]},
        {"type": "image", "title": {"text": "Loaf"}, "image_url": "https://e.org/loaf.png"},
        {"type": "actions", "elements": [{"type": "button"}]},
        {"type": "of tomorrow"},
        "no block",
    ]
    assert shown({"blocks": blocks}) == "Oven & co\n*hot*\n@baker\n---\nby a loaf\nLoaf\nhttps://e.org/loaf.png"

    table = {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": "Loaf"}, {"type": "raw_text", "text": "3"}], [{}], "no row"],
    }
    assert shown({"text": "prices", "blocks": [*blocks, table]}) == "prices\nLoaf | 3\n"


def test_attachments_become_quotes() -> None:
    """Everything an attachment says is below the message, and no link twice."""
    attachment = {"author_name": "Till", "title": "Loaf &amp; roll", "title_link": "https://e.org/1", "text": "a\nb",
                  "fields": [{"title": "Oven", "value": "3"}, {"value": "hot"}], "from_url": "https://e.org/1"}  # fmt: skip
    unfurled = {"title": "Prices", "from_url": "https://e.org/2"}
    assert shown({"text": "sold", "attachments": [{**attachment, "pretext": "Fresh"}]}) == (
        "sold\nFresh\n> *Till*\n> [Loaf & roll](https://e.org/1)\n> a\n> b\n> *Oven*: 3\n> hot"
    )
    assert shown({"text": "<https://e.org/2>", "attachments": [unfurled]}) == "https://e.org/2\n> Prices"
    assert shown({"attachments": [{"fallback": "no picture"}]}) == "> no picture"
    assert shown({"attachments": [{}, 1, None]}) == ""
