"""The account as drift sees it: read-only calls with a time limit, each page of them, and errors in one sentence."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import boto3
import jmespath  # type: ignore[import-untyped]  # boto3's own, which has no types
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nottermost_conventions.errors import ExitCode, NottermostError
from nottermost_platform.drift.values import GLOBAL, Unread
from nottermost_platform.naming import PRIMARY

CONNECT_S: Final = 5
READ_S: Final = 20  # the slowest answers, of IAM's whole account, take 3 to 5 s
ATTEMPTS: Final = 4  # with the SDK's growing pauses: a throttled call is asked for again for about 5 s
CONNECTIONS: Final = 16  # at once to one service
READS: Final = ("describe_", "get_", "list_", "head_", "batch_get_")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class AccountError(NottermostError):
    """The account cannot be asked, or it is another one than the environment's."""

    code = "no_account"
    exit_code = ExitCode.COULD_NOT_TELL


class NotReadable(NottermostError):
    """A call was refused or failed; it says nothing about what is there."""

    code = "not_readable"
    exit_code = ExitCode.COULD_NOT_TELL


class Account:
    """One account, asked by the standard credentials and endpoints of the AWS SDKs."""

    def __init__(self) -> None:
        self.session = boto3.session.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._config = Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
        )  # fmt: skip

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region; made once, a session is not for several threads."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self.session.client(service, region_name=region, config=self._config)
            return self._clients[service, region]

    def get(
        self, service: str, region: str, operation: str, *, absent: tuple[str, ...] = (), **arguments: Any
    ) -> dict[str, Any] | None:
        """One call's answer.

        Args:
            absent: error codes that say that there is none; the answer is then None.

        Raises: NotReadable.
        """
        call = getattr(self._reading_client(service, region, operation), operation)
        try:
            return dict(call(**arguments))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in absent:
                return None
            raise NotReadable(f"{service}: {explain(error)}") from error
        except BotoCoreError as error:
            raise NotReadable(f"{service}: {explain(error)}") from error

    def list(self, service: str, region: str, operation: str, items: str, **arguments: Any) -> list[Any]:
        """What a call lists, of all its pages. `items`: JMESPath into an answer. Raises: NotReadable."""
        client = self._reading_client(service, region, operation)
        if not client.can_paginate(operation):
            return jmespath.search(items, self.get(service, region, operation, **arguments)) or []
        try:
            pages = client.get_paginator(operation).paginate(**arguments)
            return [item for page in pages for item in jmespath.search(items, page) or []]
        except (BotoCoreError, ClientError) as error:
            raise NotReadable(f"{service}: {explain(error)}") from error

    def _reading_client(self, service: str, region: str, operation: str) -> Any:
        if not operation.startswith(READS):
            raise AssertionError(f"drift only reads, it does not {operation}")
        return self.client(service, region)

    def check(self, region: str, allowed: Iterable[str]) -> str:
        """The account's id, when it is one of those that the environment's provider allows. Raises: AccountError."""
        try:
            account = str(self.client("sts", region).get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise AccountError(
                f"AWS does not say whose credentials these are ({explain(error)}): check them and the network, then try again"
            ) from error
        if account not in (known := sorted(allowed)):
            raise AccountError(
                f"these credentials are of account {account}, but the environment is in {', '.join(known) or 'none that its provider names'}: "
                "nothing was read; take credentials of that account"
            )
        return account


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a reader is given: one region of an account, and what the environment has there.

    Attributes:
        declared: physical names in the programs, by region and type.
        tags: by ARN, of what bears the environment's tags and a service told of before; others are asked for one by one.
        unread: what a reader could not read, though it read the rest.
    """

    account: Account
    account_id: str
    region: str
    env: str
    declared: dict[str, dict[str, set[str]]]
    pool: ThreadPoolExecutor
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    @property
    def is_global(self) -> bool:
        return self.region == GLOBAL

    def get(
        self, service: str, operation: str, *, absent: tuple[str, ...] = (), **arguments: Any
    ) -> dict[str, Any] | None:
        """One call's answer, as `Account.get`."""
        return self.account.get(service, self._region, operation, absent=absent, **arguments)

    def list(self, service: str, operation: str, items: str, **arguments: Any) -> list[Any]:
        """What a call lists, as `Account.list`."""
        return self.account.list(service, self._region, operation, items, **arguments)

    def each(self, work: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """The work on each item, several at once, in the items' order."""
        yield from self.pool.map(work, items)

    def is_ours(self, type_: str, name: str, tags: dict[str, str] | None = None) -> bool:
        """Whether the environment declares this name here, or the thing bears its tag."""
        return name in self.declared[self.region].get(type_, ()) or (tags or {}).get("env") == self.env

    def home_of(self, type_: str, name: str) -> str | None:
        """The region in which the environment declares this name; None when it does nowhere."""
        return next((region for region, names in self.declared.items() if name in names.get(type_, ())), None)

    @property
    def _region(self) -> str:
        """Where what is in no region is asked for."""
        return PRIMARY if self.is_global else self.region


def explain(error: Exception) -> str:
    """Why a call failed, in one line: the service's own words."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return f"{said.get('Code', 'error')} of {error.operation_name}: {said.get('Message', '')}".strip(": ")
    return " ".join(str(error).split())


def tags_of(listed: Iterable[dict[str, str]] | dict[str, str] | None) -> dict[str, str]:
    """Tags as a mapping, of whichever of AWS's three forms."""
    if isinstance(listed, dict):
        return listed
    pairs = ({key.lower().removeprefix("tag"): value for key, value in each.items()} for each in listed or [])
    return {each["key"]: each.get("value", "") for each in pairs}


def pick(item: Any, **paths: str) -> dict[str, Any]:
    """Properties by JMESPath into AWS's answer; what is not there is None: not set."""
    return {name: jmespath.search(path, item) for name, path in paths.items()}
