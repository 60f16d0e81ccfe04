"""How somebody is told of news: push on their devices, quiet hours, what each conversation may notify of."""

import re
from datetime import datetime
from typing import Final

from nottermost_chat.actions.access import require_member
from nottermost_chat.actions.signals import tell_changed
from nottermost_chat.api import shapes
from nottermost_chat.directory import Level, Notify, PushKind, Quiet, QuietWindow, Subscription
from nottermost_chat.errors import BadRequest, PushOff
from nottermost_chat.notify.decide import level_of
from nottermost_chat.notify.keys import check_browser_keys
from nottermost_chat.notify.quiet import is_time_zone
from nottermost_chat.ports import Caller
from nottermost_chat.protocol import Own, to_time, to_time_or_none
from nottermost_chat.services import Services
from nottermost_chat.webhooks.addresses import check_url

MS_MAX: Final = 253_402_214_400_000  # 9999-12-31: what every time zone can still show
TOKENS: Final = {PushKind.FCM: re.compile(r"[\w:-]{1,2048}"), PushKind.APNS: re.compile(r"[0-9a-fA-F]{16,200}")}

# --- devices ----------------------------------------------------------------------------------


async def get_push(services: Services, caller: Caller) -> shapes.PushView:
    """Which kinds of push this chat sends, and the caller's devices that take any."""
    keys = services.push_keys
    found = await services.directory.notifications.subscriptions(caller.user_id)
    return shapes.PushView(
        kinds=list(keys.kinds),
        vapid_public_key=None if keys.vapid is None else keys.vapid.public,
        devices=[_device_view(each, caller) for each in found],
    )


async def subscribe(services: Services, caller: Caller, wanted: shapes.PushRequest) -> shapes.PushView:
    """Send pushes for the calling device there. Raises PushOff when there is no key for the kind, BadRequest."""
    if wanted.kind not in services.push_keys.kinds:
        on = ", ".join(services.push_keys.kinds) or "none"
        raise PushOff(f"this chat does not send {wanted.kind} pushes; what it sends: {on}")
    if wanted.kind is PushKind.WEBPUSH:
        check_browser_keys(wanted.public_key, wanted.auth_secret)
        _check_endpoint(wanted.address, private=services.settings.push_private)
    elif not TOKENS[wanted.kind].fullmatch(wanted.address) or wanted.public_key or wanted.auth_secret:
        raise BadRequest(f"address has to be a token of {wanted.kind}, without keys")
    await services.directory.notifications.subscribe(
        caller.device_id, wanted.kind, wanted.address, wanted.public_key, wanted.auth_secret
    )
    return await get_push(services, caller)


async def unsubscribe(services: Services, caller: Caller) -> None:
    """The calling device takes no pushes any more."""
    await services.directory.notifications.unsubscribe(caller.device_id)


def _check_endpoint(address: str, *, private: bool) -> None:
    """Raises BadRequest; where a name leads is looked at when it is called."""
    if not check_url(address, private=private).startswith("https://"):
        raise BadRequest("the address of a browser has to begin with https://")


def _device_view(device: Subscription, caller: Caller) -> shapes.PushDeviceView:
    """Not where to: who knows the address may send there."""
    return shapes.PushDeviceView(
        device_id=device.device_id,
        kind=device.kind,
        created_at=to_time(device.created_at),
        current=device.device_id == caller.device_id,
    )


# --- when, and of what ------------------------------------------------------------------------


async def get_settings(services: Services, caller_id: str) -> shapes.NotificationsView:
    """The caller's quiet hours, and the conversations for which something was chosen and still holds."""
    notifications, now = services.directory.notifications, services.clock.now_ms()
    quiet = (await notifications.quiet([caller_id])).get(caller_id, Quiet())
    levels = await notifications.levels(caller_id)
    return shapes.NotificationsView(
        time_zone=quiet.time_zone,
        paused_until=to_time_or_none(quiet.paused_until),
        quiet=[
            shapes.QuietHours(weekday=each.weekday, start_minute=each.start_minute, end_minute=each.end_minute)
            for each in quiet.windows
        ],
        conversations=[
            _level_view(conversation_id, level.notify, level)
            for conversation_id, level in sorted(levels.items())
            if level.until is None or level.until > now
        ],
    )


async def set_settings(
    services: Services, caller_id: str, wanted: shapes.NotificationsRequest
) -> shapes.NotificationsView:
    """In place of what was there. Raises BadRequest."""
    if not is_time_zone(wanted.time_zone):
        raise BadRequest(f"there is no time zone {wanted.time_zone!r}; the IANA's are meant, like Europe/Vienna")
    starts = {(each.weekday, each.start_minute) for each in wanted.quiet}
    if len(starts) < len(wanted.quiet):
        raise BadRequest("two of the quiet hours begin at the same time")
    paused = None if wanted.paused_until is None else _ms(wanted.paused_until)
    windows = tuple(QuietWindow(each.weekday, each.start_minute, each.end_minute) for each in wanted.quiet)
    await services.directory.notifications.set_quiet(caller_id, Quiet(wanted.time_zone, paused, windows))
    return await get_settings(services, caller_id)


async def get_level(services: Services, caller_id: str, conversation_id: str) -> shapes.ConversationNotifyView:
    """What the conversation notifies the caller of now. Raises NotFound, NotAMember."""
    place = await require_member(services, caller_id, conversation_id)
    level = (await services.directory.notifications.levels(caller_id)).get(conversation_id)
    notify = level_of(place.conversation.kind, level, services.clock.now_ms())
    return _level_view(conversation_id, notify, level)


async def set_level(
    services: Services, caller_id: str, conversation_id: str, wanted: shapes.ConversationNotifyRequest
) -> shapes.ConversationNotifyView:
    """Choose what it may notify of; nothing chosen: the usual. Raises NotFound, NotAMember."""
    await require_member(services, caller_id, conversation_id)
    until = None if wanted.until is None else _ms(wanted.until)
    level = None if wanted.notify is None else Level(wanted.notify, until)
    await services.directory.notifications.set_level(caller_id, conversation_id, level)
    await tell_changed(services, caller_id, Own.NOTIFICATIONS)
    return await get_level(services, caller_id, conversation_id)


def _level_view(conversation_id: str, notify: Notify, level: Level | None) -> shapes.ConversationNotifyView:
    until = None if level is None or level.until is None else to_time(level.until)
    return shapes.ConversationNotifyView(conversation_id=conversation_id, notify=notify, until=until)


def _ms(time: datetime) -> int:
    return min(max(0, int(time.timestamp() * 1000)), MS_MAX)
