"""The load balancer's configuration: one address for page, REST and sockets.

`/ws` goes to the gateways, everything else to the apis; who is healthy is known from GET /healthz. Nothing is sticky.
Only what never reached a server, or may be repeated, is given to another one. A page of another origin may ask when
it is named.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

ADMIN_SOCKET: Final = "admin.sock"  # in HAProxy's own folder: a socket's path holds 107 bytes, so it is relative
PREFLIGHT_S: Final = 600  # what browsers remember at most, Chromium 2 h, Safari 10 min
ALLOWED_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One server behind the load balancer. `enabled`: a slot kept for a later `--scale` is not."""

    name: str
    authority: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long somebody may be silent before their connection ends.

    Attributes:
        client_s, server_s: in the middle of a request.
        tunnel_s: both sides of a socket; takes the place of the other two. The chat's own heartbeat is 30 s.
    """

    client_s: int = 60
    server_s: int = 60
    tunnel_s: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """What the configuration is made from.

    Attributes:
        origin: of a page that is served elsewhere and may call us, as the browser writes it; "": none may.
        resolver: a DNS whose names change, as in compose, that the servers' authorities hold; "": they are addresses.
        slots: how many addresses each of these names may have.
    """

    host: str
    ports: tuple[int, ...]
    health_port: int
    gateways: tuple[Backend, ...]
    apis: tuple[Backend, ...]
    origin: str = ""
    admin_socket: str = ADMIN_SOCKET
    resolver: str = ""
    slots: int = 0
    timeouts: Timeouts = field(default_factory=Timeouts)


def render_haproxy(balancer: Balancer) -> str:
    """The configuration file."""
    sections: dict[str, Iterable[str]] = {
        "global": _global(balancer),
        "defaults": [*_DEFAULTS, *_timeouts(balancer.timeouts)],
        **({"resolvers cluster": _resolvers(balancer)} if balancer.resolver else {}),
        "frontend front": _front(balancer),
        "frontend health": _health(balancer),
        "backend gateways": [
            *_BACKEND,
            "timeout check 1s",  # a frozen one is found out within 5 s, and its people are elsewhere within 10
            # A stopped gateway takes no part, and its sockets end: their clients come back elsewhere and resume.
            "default-server inter 1s fastinter 500ms fall 3 rise 1 on-marked-down shutdown-sessions",
            *_servers(balancer, balancer.gateways),
        ],
        "backend apis": [
            *_BACKEND,
            "retry-on conn-failure empty-response",  # a 503 is an answer: what is away is away from the other api too
            # What changes something may have been done before the server died: its caller decides.
            "http-request disable-l7-retry unless METH_GET",
            "default-server inter 1s fastinter 500ms fall 3 rise 1",
            *_servers(balancer, balancer.apis),
        ],
    }
    return "\n".join(f"{name}\n" + "".join(f"    {line}\n" for line in lines) for name, lines in sections.items())


_DEFAULTS: Final = (
    "mode http",
    "log stdout format raw local0 notice",
    "option redispatch 1",
    "retries 3",
    "timeout connect 2s",
    "timeout check 2s",
    "timeout http-request 10s",
    "timeout http-keep-alive 30s",
    "timeout queue 5s",
)
_BACKEND: Final = ("balance leastconn", "option httpchk GET /healthz", "http-check expect status 200")


def _global(balancer: Balancer) -> list[str]:
    return [
        "log stdout format raw local0 notice",
        f"stats socket unix@{balancer.admin_socket} mode 600 level admin",
        "stats timeout 2m",
        "hard-stop-after 5s",
    ]


def _timeouts(timeouts: Timeouts) -> list[str]:
    return [
        f"timeout client {timeouts.client_s}s",
        f"timeout server {timeouts.server_s}s",
        f"timeout tunnel {timeouts.tunnel_s}s  # sockets: the chat's own heartbeat is 30 s",
    ]


def _resolvers(balancer: Balancer) -> list[str]:
    return [f"nameserver dns {balancer.resolver}", "hold valid 2s", "resolve_retries 3", "timeout retry 1s"]


def _front(balancer: Balancer) -> list[str]:
    return [
        *(f"bind {balancer.host}:{port}" for port in balancer.ports),
        "http-request set-header X-Forwarded-For %[src]",  # what a client says about itself does not count
        *(_cross_origin(balancer.origin) if balancer.origin else ()),
        "use_backend gateways if { path /ws } || { path_beg /ws/ }",
        "default_backend apis",
    ]


def _cross_origin(origin: str) -> list[str]:
    granted = (
        f"hdr Access-Control-Allow-Origin {origin}",
        "hdr Access-Control-Allow-Credentials true",
        f'hdr Access-Control-Allow-Methods "{ALLOWED_METHODS}"',
        f'hdr Access-Control-Allow-Headers "{ALLOWED_HEADERS}"',
        f"hdr Access-Control-Max-Age {PREFLIGHT_S}",
        "hdr Vary Origin",
    )
    return [
        f"acl from_page req.hdr(Origin) -m str {origin}",
        "acl preflight req.hdr(Access-Control-Request-Method) -m found",
        f"http-request set-var(txn.origin) str({origin}) if from_page",
        f"http-request return status 204 {' '.join(granted)} if METH_OPTIONS preflight from_page",
        "http-request return status 403 hdr Vary Origin if METH_OPTIONS preflight",
        "http-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if { var(txn.origin) -m found }",
        "http-response set-header Access-Control-Allow-Credentials true if { var(txn.origin) -m found }",
        'http-response set-header Access-Control-Expose-Headers "Retry-After" if { var(txn.origin) -m found }',
        "http-response add-header Vary Origin",
    ]


def _health(balancer: Balancer) -> list[str]:
    return [
        f"bind {balancer.host}:{balancer.health_port}",
        "http-request use-service prometheus-exporter if { path /metrics }",
        'http-request return status 503 content-type text/plain string "no api is up" if { nbsrv(apis) eq 0 }',
        'http-request return status 200 content-type text/plain string "ok" if { path /healthz }',
        "http-request return status 404",
    ]


def _servers(balancer: Balancer, backends: Iterable[Backend]) -> list[str]:
    if balancer.resolver:
        return [
            f"server-template {backend.name} {balancer.slots} {backend.authority} check resolvers cluster init-addr none"
            for backend in backends
        ]
    return [
        f"server {backend.name} {backend.authority} check{'' if backend.enabled else ' disabled'}"
        for backend in backends
    ]
