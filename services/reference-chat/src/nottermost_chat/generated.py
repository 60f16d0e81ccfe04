"""The documents that are made from the code: protocol, frame schemas, settings, metrics, failure policy.

`nottermost chat docs` writes them, `--check` tells whether they are up to date.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from nottermost_chat import errors, protocol, resilience
from nottermost_chat.adapters.record_codec import WireRecord
from nottermost_chat.errors import ChatError
from nottermost_chat.metrics import Metrics
from nottermost_chat.settings import PREFIX, Limits, Secrets, Settings

NOTE: Final = "<!-- Made by `nottermost chat docs`; change the code, not this file. -->"

_INTRODUCTION: Final = f"""# The socket protocol
{NOTE}

Enough to write a client. Connect a WebSocket to `/ws` and speak JSON text frames `{{"type": …}}`, each at most
{protocol.FRAME_BYTES_MAX:,} bytes. The JSON Schema of every frame is in [schemas/](schemas/); REST is described by
`/api/openapi.json` of a running chat. Times are RFC 3339 in UTC. Ignore fields and frames that you do not know; the
server refuses those that it does not know.

1. Send `authenticate` with an access token (log in over REST); wait for `authenticated`. Send it again with a fresh
   token before the old one ends.
2. Keep an (epoch, seq) for each conversation. An entry at or below it is a repeat: drop it. A hole: send `resume`.
   Compare the two as a pair.
3. Send operations with a `client_msg_id` of your own making, one unanswered at a time in a conversation. No answer
   means *unknown*: repeat it with the same id, also on the next connection. It is stored once.
4. Send `ping` every `heartbeat_s` seconds; the server closes a connection from which nothing came for twice that.
   If nothing at all comes within 15 s of a ping, of `authenticate` or of the handshake, the connection is lost
   whatever the network says: close it and go on as after 1006.
5. After a close look the code up below; 1006 (none came) is: reconnect and resume. Wait 1, 2, 4 … 30 s, each
   shortened by up to half at random; then authenticate and `resume` the conversations that you follow, at most
   {protocol.RESUME_CONVERSATIONS_MAX} in a frame.
   `GET /api/chats/conversations?changed_since=` tells about all others.
"""


def render_documents() -> dict[str, str]:
    """The documents by their path below `docs/`."""
    documents = {
        "protocol.md": _render_protocol(), "settings.md": _render_settings(), "metrics.md": _render_metrics(),
        "failure-policy.md": _render_policy(),
    }  # fmt: skip
    for kind in (*get_args(protocol.AnyClientFrame), *get_args(protocol.AnyServerFrame)):
        name = str(kind.__struct_config__.tag).replace(":", "-")
        side = "client" if kind in get_args(protocol.AnyClientFrame) else "server"
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}
        documents[f"schemas/{side}-{name}.json"] = json.dumps(schema, indent=1, sort_keys=True) + "\n"
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(WireRecord)}
    documents["schemas/log-record.json"] = json.dumps(schema, indent=1, sort_keys=True) + "\n"
    return documents


def check_documents(folder: Path) -> list[str]:
    """Paths below `folder` that are missing, stale or no longer made."""
    wanted = render_documents()
    stale = [path for path, text in wanted.items() if not _holds(folder / path, text)]
    left = [f"schemas/{path.name}" for path in sorted((folder / "schemas").glob("*.json"))]
    return stale + [path for path in left if path not in wanted]


def write_documents(folder: Path) -> None:
    """Write them, and remove schemas of frames that are gone."""
    for path in check_documents(folder):
        (folder / path).unlink(missing_ok=True)
    for path, text in render_documents().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _render_protocol() -> str:
    parts = [_INTRODUCTION, "## Client to server\n", *map(_frame, get_args(protocol.AnyClientFrame))]
    parts += ["## Server to client\n", *map(_frame, get_args(protocol.AnyServerFrame))]
    parts += ["## Close codes\n", "| code | name | meaning | reconnect | resume | wait, s |\n|---|---|---|---|---|---|"]
    for code, rule in protocol.CLOSE_RULES.items():
        wait = f"{rule.wait_s_min:g} to {rule.wait_s_max:g}" if rule.reconnect else ""
        parts.append(
            f"| {code.value} | {code.name} | {rule.meaning} | {_yes(rule.reconnect)} | {_yes(rule.resume)} | {wait} |"
        )
    parts += ["\n## Error codes\n", "The same in `error` frames and in REST's problem documents; `status` is REST's.\n",
              "| code | status | meaning |\n|---|---|---|"]  # fmt: skip
    rows = sorted((kind.status, kind.code, _first_line(kind)) for kind in _errors())
    parts += [f"| `{code}` | {status} | {meaning} |" for status, code, meaning in rows]
    return "\n".join(parts) + "\n"


def _frame(kind: type[msgspec.Struct]) -> str:
    lines = [f"### `{kind.__struct_config__.tag}`", inspect.cleandoc(kind.__doc__ or ""), ""]
    fields = msgspec.structs.fields(kind)
    if fields:
        lines += ["| field | type | default |", "|---|---|---|"]
        lines += [f"| `{field.name}` | {_type(field.type)} | {_default(field)} |" for field in fields]
        lines.append("")
    return "\n".join(lines)


def _errors() -> Iterator[type[ChatError]]:
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, ChatError) and kind.status != ChatError.status:
            yield kind


def _render_settings() -> str:
    how = (
        f"Set them as environment variables; `{PREFIX}LIMITS__STANDARD__USER_MESSAGES__BURST=50` reaches into a table. "
        "A name that does not exist is an error."
    )
    about = inspect.cleandoc(Settings.__doc__ or "")
    lines = ["# Settings", NOTE, "", about, "", how, "", "| variable | type | default | |", "|---|---|---|---|"]
    said = _comments(Settings, PREFIX) | _comments(Limits, f"{PREFIX}LIMITS__")
    for name, kind, default in _settings(Settings, PREFIX):
        lines.append(f"| `{name}` | {kind} | `{default}` | {said.get(name, '')} |")
    lines += ["", "## Secrets", "", inspect.cleandoc(Secrets.__doc__ or ""), "", "| variable | |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in _comments(Secrets, PREFIX).items()]
    return "\n".join(lines) + "\n"


def _comments(kind: type[msgspec.Struct], prefix: str) -> dict[str, str]:
    """What stands behind each field in the source, by variable."""
    found = re.findall(r"^    (\w+): [^\n#]*?  # (.*)$", inspect.getsource(kind), re.MULTILINE)
    return {f"{prefix}{name.upper()}": comment.replace("|", "or") for name, comment in found}


def _render_policy() -> str:
    about = (
        f"A call to a dependency has a time limit, is tried again with jitter unless it hung for the whole limit, and goes through a circuit breaker: "
        f"{resilience.FAILURES_MAX} failures within {resilience.WINDOW_S:g} s open it, then calls are refused at once "
        f"as `unavailable`, and every {resilience.PROBE_AFTER_S:g} s one tries whether the dependency is back. The "
        "breaker's state is `chat_breaker_state`, what failed is `chat_dependency_failures_total`."
    )
    lines = ["# When something is away", NOTE, "", about, ""]
    lines += ["| dependency | time limit, s | attempts | what still works | what people see |", "|---|---|---|---|---|"]
    for policy in resilience.POLICIES.values():
        limits = f"{policy.timeout_s:g} | {policy.attempts}"
        lines.append(f"| {policy.dependency} | {limits} | {policy.degrades} | {policy.user_sees} |")
    return "\n".join(lines) + "\n"


def _settings(kind: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, str, str]]:
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        name, default = f"{prefix}{field.name.upper()}", field.default
        inner = hints[field.name]
        if inspect.isclass(inner) and issubclass(inner, msgspec.Struct):
            for below, shown, value in _settings(inner, f"{name}__"):
                yield below, shown, _at(default, below.removeprefix(f"{name}__"), value)
        else:
            yield name, _type(field.type), str(default)


def _at(default: Any, path: str, value: str) -> str:
    """The value that stands at a path of a default; `value` where the default says nothing else."""
    for part in path.lower().split("__"):
        default = getattr(default, part, None)
    return value if default is None else str(default)


def _render_metrics() -> str:
    lines = ["# Metrics", NOTE, "", "At `/metrics`, in base units.", "", "| metric | type | meaning |", "|---|---|---|"]
    for family in sorted(Metrics().registry.collect(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def _type(kind: Any) -> str:
    name = kind.__name__ if inspect.isclass(kind) and not get_args(kind) else str(kind)
    return name.replace("nottermost_chat.protocol.", "").replace("nottermost_chat.model.", "").replace(
        "datetime.datetime", "datetime").replace("|", "or")  # fmt: skip


def _default(field: msgspec.structs.FieldInfo) -> str:
    return "required" if field.required else f"`{json.dumps(field.default, default=str)}`"


def _first_line(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n")[0]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
