"""Opens the push services that there are keys for."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat.clock import Clock
from nottermost_chat.directory import PushKind
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.apns import Apns
from nottermost_chat.notify.fcm import Fcm
from nottermost_chat.notify.keys import PushKeys
from nottermost_chat.notify.line import Line
from nottermost_chat.notify.port import PushService
from nottermost_chat.notify.web_push import WebPush
from nottermost_chat.settings import Settings
from nottermost_chat.trust import trusted


@asynccontextmanager
async def open_push_services(
    keys: PushKeys, settings: Settings, metrics: Metrics, clock: Clock, *, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Mapping[PushKind, PushService]]:
    """By kind; what has no key is absent. `trust`: whose certificates are believed; None: as the settings say."""
    believed = trust or trusted(settings.authorities)
    services: dict[PushKind, PushService] = {}
    async with AsyncExitStack() as stack:

        def dial(kind: PushKind, *, private: bool = True, http1: bool = True) -> Line:
            line = Line(kind, metrics, clock.monotonic, private=private, trust=believed, http1=http1)
            stack.push_async_callback(line.close)
            return line

        if keys.vapid is not None:  # only here users say where to
            line = dial(PushKind.WEBPUSH, private=settings.push_private)
            services[PushKind.WEBPUSH] = WebPush(line, keys.vapid, settings.push_contact, clock)
        if keys.fcm is not None:
            services[PushKind.FCM] = Fcm(dial(PushKind.FCM), keys.fcm, settings.fcm_url, clock)
        if keys.apns is not None:
            services[PushKind.APNS] = Apns(dial(PushKind.APNS, http1=False), keys.apns, settings.apns_url, clock)
        yield services
