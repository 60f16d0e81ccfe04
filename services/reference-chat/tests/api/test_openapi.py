"""The OpenAPI document is true: requests made from it are answered as it says."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok

from nottermost_chat.bootstrap import open_services, running_chat
from nottermost_chat.settings import Limits, Rate, Settings, Tier
from nottermost_chat.testing.people import PASSWORD

EXAMPLES = 4  # for each operation and mode; 57 operations take about 15 s
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
PUBLIC = (  # who may come is told by something else than an access token
    "/api/users/auth/", "/api/files/{file_id}", "/api/exports/{export_id}", "/api/hooks/{token}", "/api/bots/session",
)  # fmt: skip
MEANT = {
    "url": "https://example.org/hook",
    "time_zone": "Europe/Vienna",
}  # more than a form: JSON Schema cannot say which
PLACES = {"after_seq", "before_seq", "around_seq", "at"}

Case = schemathesis.Case[Any]


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """The address of the whole chat, run in a thread of this process; nobody is limited there."""
    many = Rate(1_000_000, 1_000_000)
    limits = Limits(standard=Tier(many, many, many, many), ip_log_ins=many)
    unlimited = msgspec.structs.replace(settings, limits=limits)
    started, stop, address = threading.Event(), threading.Event(), [""]

    async def run() -> None:
        async with open_services(unlimited) as services, running_chat(services) as port:
            address[0] = f"http://127.0.0.1:{port}"
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(20)
    yield address[0]
    stop.set()
    thread.join()


class Known:
    """A user, and ids of things that the user has."""

    def __init__(self, server: str) -> None:
        self.http = httpx.Client(base_url=server, headers={"connection": "close"})
        session = self.post("/api/users/auth/register", email="ann@example.org", username="ann", password=PASSWORD)
        self.http.headers["authorization"] = self.bearer = f"Bearer {session['access_token']}"
        other = self.post("/api/users/auth/register", email="bob@example.org", username="bob", password=PASSWORD)
        workspace = self.post("/api/workspaces", name="W")["workspace_id"]
        channel = self.post(f"/api/workspaces/{workspace}/channels", name="general")["conversation_id"]
        group = self.post("/api/chats/conversations/group", title="G", member_ids=[])["conversation_id"]
        sent = self.post(f"/api/messages/conversations/{group}/messages", client_msg_id="1", body="hello")
        team = self.post(f"/api/workspaces/{workspace}/teams", name="crew")["team_id"]
        self.ids = {
            "workspace_id": itertools.cycle([workspace]),
            "conversation_id": itertools.cycle([group, channel]),
            "message_id": itertools.cycle([sent["message_id"]]),
            "user_id": itertools.cycle([other["user"]["user_id"], session["user"]["user_id"]]),
            "team_id": itertools.cycle([team]),
        }

    def post(self, path: str, **body: object) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def put_into(self, case: Case) -> None:
        """Let the request be about something that exists, unless it would end it, or undo what was not done."""
        if isinstance(case.body, dict):
            case.body |= {name: MEANT[name] for name in MEANT.keys() & case.body.keys()}
        if case.method == "DELETE" or case.path.endswith(("/leave", "/restore")):
            return
        for name in case.path_parameters or ():
            if name in self.ids:
                case.path_parameters[name] = next(self.ids[name])


def has_float(value: object) -> bool:
    """Whether a JSON value is or holds a float."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, float) or any(map(has_float, inner))


def is_fair(case: Case) -> bool:
    """Not what JSON Schema cannot say: that 1.0 is no integer, that places exclude each other, our size limit."""
    body = case.body if isinstance(case.body, dict) else {}
    return (
        not has_float(body)
        and len(PLACES & (case.query or {}).keys()) < 2
        and not (isinstance(size := body.get("size"), int) and size > 50_000_000)
    )


@pytest.mark.slow
def test_requests_made_from_the_document(server: str) -> None:
    """Valid ones are taken or refused as documented, invalid ones are refused, answers fit their schemas."""
    known = Known(server)
    schema = schemathesis.openapi.from_url(f"{server}/api/openapi.json")

    @schema.auth()
    class Bearer:
        def get(self, case: object, context: object) -> str:
            return known.bearer

        def set(self, case: Case, data: str, context: object) -> None:
            case.headers["Authorization"] = data

    failures: list[str] = []
    taken: set[str] = set()
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 50
    for operation in operations:
        for mode in MODES:

            @given(case=operation.as_strategy(generation_mode=mode))
            @hypothesis_settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            def check(case: Case) -> None:
                assume(is_fair(case))
                if mode is schemathesis.GenerationMode.POSITIVE:  # noqa: B023 - called before the loop goes on
                    known.put_into(case)
                answer = case.call_and_validate()
                if answer.status_code < 300:
                    taken.add(case.operation.label)

            try:
                check()
            except Unsatisfiable:
                if any(True for _ in operation.iter_parameters()) or operation.body:
                    raise
            except (AssertionError, schemathesis.errors.SchemathesisError, BaseExceptionGroup) as error:
                failures.append(f"{operation.label} {mode}: {error}")
    assert not failures, "\n\n".join(failures)
    assert len(taken) > 35, f"hardly anything was taken: {sorted(taken)}"


async def test_the_document_describes_everything(http: httpx.AsyncClient) -> None:
    """Problems, the token, the idempotency key, and requests that refuse unknown fields."""
    document = (await http.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"code", "status", "title", "detail", "type"} <= schemas["Problem"]["properties"].keys()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
            assert bool(operation.get("security")) != path.startswith(PUBLIC), (method, path)
            assert operation["description"]
    requests = {name for name in schemas if name.endswith("Request")}
    assert len(requests) > 20
    assert all(schemas[name]["additionalProperties"] is False for name in requests)
    send = document["paths"]["/api/messages/conversations/{conversation_id}/messages"]["post"]
    assert "Idempotency-Key" in {each["name"] for each in send["parameters"]}
