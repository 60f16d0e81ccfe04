"""Writes to DynamoDB, each with what it expects of the item before it."""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from nottermost_chat.adapters.dynamo_items import Key, Value, to_item, to_value

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef as AttributeValue


class Presence(Enum):
    """That an attribute is there, whatever it is."""

    PRESENT = "present"


PRESENT: Final = Presence.PRESENT
NOTHING: Final[Mapping[str, Value]] = {}


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One put, update or delete of one item.

    Attributes:
        sets: the attributes of a put; of an update those that change. None and False: absent from now on.
        once: an update's, set only where they are absent.
        expects: what must hold, or nothing is written. None: the attribute is absent, and if it is one
            that every item has, the item.
        about: the message that is stale when it does not hold.
    """

    action: Literal["Put", "Update", "Delete"]
    key: Key
    sets: Mapping[str, Value] = NOTHING
    once: Mapping[str, str | int] = NOTHING  # type: ignore[assignment]
    expects: Mapping[str, Value | Presence] = NOTHING
    about: str = ""


def put_new(key: Key, values: Mapping[str, Value]) -> Write:
    """Put an item where none must be."""
    return Write(action="Put", key=key, sets=values, expects={key.table.sort.name: None})


def render(write: Write, table_name: str) -> dict[str, Any]:
    """The parameters that DynamoDB takes for it, alone or within a transaction."""
    names: dict[str, str] = {}
    values: dict[str, AttributeValue] = {}

    def name(attribute: str) -> str:  # always by a placeholder: many names are words of its language
        names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def value(prefix: str, attribute: str, one: str | int | bytes | bool) -> str:
        values[f":{prefix}_{attribute}"] = to_value(one)
        return f":{prefix}_{attribute}"

    request: dict[str, Any] = {"TableName": table_name}
    match write.action:
        case "Put":
            request["Item"] = write.key.item() | to_item(write.sets)
        case "Delete":
            request["Key"] = write.key.item()
        case "Update":
            given = {key: one for key, one in write.sets.items() if one is not None and one is not False}
            sets = [f"{name(key)} = {value('set', key, one)}" for key, one in given.items()]
            sets += [
                f"{name(key)} = if_not_exists({name(key)}, {value('set', key, one)})" for key, one in write.once.items()
            ]
            removes = [name(key) for key in write.sets if key not in given]
            parts = [("SET", sets), ("REMOVE", removes)]
            request["Key"] = write.key.item()
            request["UpdateExpression"] = " ".join(f"{word} {', '.join(part)}" for word, part in parts if part)
    conditions = []
    for key, one in write.expects.items():
        if one is PRESENT:
            conditions.append(f"attribute_exists({name(key)})")
        elif one is None or one is False:
            conditions.append(f"attribute_not_exists({name(key)})")
        else:
            conditions.append(f"{name(key)} = {value('was', key, one)}")
    if conditions:
        request["ConditionExpression"] = " AND ".join(conditions)
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = values
    return request
