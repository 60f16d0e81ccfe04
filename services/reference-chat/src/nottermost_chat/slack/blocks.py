"""What a message shows besides its text (blocks, attachments), written as Slack markup.

The result goes through `markup.to_text` together with the message's own text, so that
mentions, links and entities are understood in one place.
"""

from collections.abc import Sequence

from .markup import escape
from .node import Node

UNDISPLAYABLE = "This content can't be displayed."  # what an export gives as the text of a message made of blocks

_STYLES = (("code", "`"), ("strike", "~"), ("italic", "_"), ("bold", "*"))  # from the inside out


def slack_text(message: Node) -> str:
    """A message's text in Slack markup, the blocks that say more than it, and the attachments as quotes below."""
    text = _lines(own_text(message), blocks_text(unsaid_blocks(message)))
    attachments = [_attachment(attachment, text) for attachment in message.nodes("attachments")]
    return "\n".join(part for part in (text, *attachments) if part)


def own_text(message: Node) -> str:
    """The text a message brings itself; "" where only its blocks say something."""
    text = message.text("text")
    return "" if not text.strip() or (text == UNDISPLAYABLE and message.nodes("blocks")) else text


def unsaid_blocks(message: Node) -> list[Node]:
    """The blocks that say what the text does not: tables, or all of them where there is no text."""
    blocks = message.nodes("blocks")
    return [block for block in blocks if block.text("type") == "table"] if own_text(message) else blocks


def blocks_text(blocks: Sequence[Node]) -> str:
    """Blocks one below the other; buttons and other controls have no text."""
    return "\n".join(text for block in blocks if (text := _block(block)))


def _block(block: Node) -> str:
    match block.text("type"):
        case "rich_text":
            return "\n".join(_rich_part(part) for part in block.nodes("elements"))
        case "table":
            return "\n".join(" | ".join(map(_cell, row)) for row in block.rows("rows"))
        case "divider":
            return "---"
        case "image":
            return _lines(_label(block, "title") or escape(block.text("alt_text")), _url(block.text("image_url")))
        case "context":
            return " ".join(_label(part) or escape(part.text("alt_text")) for part in block.nodes("elements"))
        case _:
            return _lines(_label(block), *(_label(field) for field in block.nodes("fields")))


def _cell(cell: Node) -> str:
    """A table's cell; a table in a table, which Slack does not make, could be nested without end."""
    return "" if cell.text("type") == "table" else _block(cell)


def _label(holder: Node, name: str = "text") -> str:
    """A text object's text, or a plain string in its place; both are escaped already."""
    return holder.node(name).text("text") or holder.text(name)


def _rich_part(part: Node) -> str:
    match part.text("type"):
        case "rich_text_list":
            return _rich_list(part)
        case "rich_text_quote":
            return quote(_rich_line(part))
        case "rich_text_preformatted":
            return f"```\n{_rich_line(part)}\n```"
        case _:
            return _rich_line(part)


def _rich_list(part: Node) -> str:
    is_ordered = part.text("style") == "ordered"
    margin = "    " * min(part.number("indent"), 8)  # Slack indents up to 8 levels
    first = part.number("offset") + 1
    items = enumerate((_rich_line(item) for item in part.nodes("elements")), first)
    return "\n".join(f"{margin}{f'{number}.' if is_ordered else '•'} {item}" for number, item in items)


def _rich_line(part: Node) -> str:
    return "".join(_rich_element(element) for element in part.nodes("elements"))


def _rich_element(element: Node) -> str:
    match element.text("type"):
        case "text":
            return _styled(escape(element.text("text")), element.node("style"))
        case "link":
            return _url(element.text("url"), escape(element.text("text")))
        case "emoji":
            return f":{element.text('name')}:"
        case "user":
            return f"<@{element.text('user_id')}>"
        case "channel":
            return f"<#{element.text('channel_id')}>"
        case "usergroup":
            return f"<!subteam^{element.text('usergroup_id')}>"
        case "broadcast":
            return f"<!{element.text('range')}>"
        case "date":
            return escape(element.text("fallback")) or f"<!date^{element.text('timestamp')}>"
        case "color":
            return escape(element.text("value"))
        case _:
            return escape(element.text("text"))


def _styled(text: str, style: Node) -> str:
    """Signs go around the words, not around the spaces beside them: `*so* ` and not `*so *`."""
    words = text.strip()
    if not words:
        return text
    signs = "".join(sign for name, sign in _STYLES if style.flag(name))
    return text.replace(words, f"{signs[::-1]}{words}{signs}", 1)


def _attachment(attachment: Node, said: str) -> str:
    """An attachment as a quote; the links that the message itself names are not repeated."""
    title, link = attachment.text("title"), attachment.text("title_link")
    body = attachment.text("text") or blocks_text(attachment.nodes("blocks"))
    fields = [_field(field) for field in attachment.nodes("fields")]
    urls = [attachment.text("from_url"), attachment.text("image_url")]
    links = [_url(url) for url in dict.fromkeys(urls) if url and url != link and escape(url) not in said]
    author = attachment.text("author_name")
    content = _lines(author and f"*{author}*", _url(link, title), body, *fields)
    shown = _lines(content, *links) if content or links else attachment.text("fallback")
    return _lines(attachment.text("pretext"), quote(shown) if shown else "")


def _field(field: Node) -> str:
    title, value = field.text("title"), field.text("value")
    return f"*{title}*: {value}" if title and value else title or value


def quote(text: str) -> str:
    """Every line behind "> "."""
    return "\n".join(f"> {line}" for line in text.split("\n"))


def _url(url: str, label: str = "") -> str:
    """A link in Slack markup; `label` is markup already."""
    if not url:
        return label
    target = escape(url).replace("|", "%7C")
    return f"<{target}|{label}>" if label else f"<{target}>"


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
