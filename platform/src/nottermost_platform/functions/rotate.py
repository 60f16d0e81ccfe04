"""Rotates one secret, in the four steps that Secrets Manager asks for.

The secret starts empty: no password passes through a program's state, and the first rotation, right
after the secret is made, writes the first value. What is rotated says `KIND`:

- `signing`: a JWK set. The first key signs, all verify. The key that will sign next is published one
  rotation ahead, so that every instance knows it before the first token carries it.
- `database`: the password of an RDS instance's first user.
- `cache`: the password of an ElastiCache user; old and new are both valid until the next rotation.
- `key`: 32 random bytes, and `vapid`: a private key of P-256; both stay as they are, see `Kept`.
"""

import base64
import json
import os
import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

SETTLED_S = 300  # RDS takes a new password within a minute or two
LOOK_S = 5
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3
PASSWORD_CHARS = 48  # within RDS' limit of 128 and ElastiCache's 16 to 128


class Kind(Protocol):
    """How one kind of secret is made and brought into use."""

    def make(self, current: dict[str, Any]) -> dict[str, Any]: ...
    def use(self, pending: dict[str, Any], current: dict[str, Any]) -> None: ...
    def check(self, pending: dict[str, Any]) -> None: ...


class Signing:
    """Keys that sign tokens; whoever uses them reads the secret, so nothing else has to be told."""

    def make(self, current: dict[str, Any]) -> dict[str, Any]:
        keys = current.get("keys") or [self._key()]
        signing, following = keys[0], keys[-1]
        if following is signing:  # the first rotation has no key published ahead
            return {"keys": [signing, self._key()]}
        return {"keys": [following, signing, self._key()]}

    def use(self, pending: dict[str, Any], current: dict[str, Any]) -> None: ...

    def check(self, pending: dict[str, Any]) -> None:
        if not pending["keys"]:
            raise ValueError("the set has no key")

    def _key(self) -> dict[str, str]:
        return {"kid": secrets.token_hex(8), "k": secrets.token_urlsafe(32), "kty": "oct", "alg": "HS256"}


class Kept:
    """A key that is made once. What it encrypted, named or was subscribed with would be lost with another one."""

    def __init__(self, make_key: Callable[[], str]) -> None:
        self.make_key = make_key

    def make(self, current: dict[str, Any]) -> dict[str, Any]:
        return current or {"key": self.make_key()}

    def use(self, pending: dict[str, Any], current: dict[str, Any]) -> None: ...

    def check(self, pending: dict[str, Any]) -> None:
        if not pending["key"]:
            raise ValueError("the key is empty")


def make_key() -> str:
    """32 random bytes, base64url without padding."""
    return secrets.token_urlsafe(32)


def make_vapid_key() -> str:
    """A private key of P-256: a number from 1 to below the order of the curve, as 32 bytes in base64url."""
    number = 1 + secrets.randbelow(P256_ORDER - 1)
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


class Password:
    """A user's password; `username` and the store come from the function's environment."""

    def __init__(self, username: str) -> None:
        self.username = username

    def make(self, current: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - a password owes nothing to the last
        return {"username": self.username, "password": secrets.token_hex(PASSWORD_CHARS // 2)}


class Database(Password):
    """The first user of an RDS instance, changed through RDS: the function needs no way to the database."""

    def __init__(self, username: str, instance: str, rds: Any) -> None:
        super().__init__(username)
        self.instance, self.rds = instance, rds

    def use(self, pending: dict[str, Any], current: dict[str, Any]) -> None:  # noqa: ARG002
        self.rds.modify_db_instance(
            DBInstanceIdentifier=self.instance, MasterUserPassword=pending["password"], ApplyImmediately=True
        )

    def check(self, pending: dict[str, Any]) -> None:  # noqa: ARG002
        until = time.monotonic() + SETTLED_S
        while not self._settled():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.instance} has not taken the password within {SETTLED_S} s")
            time.sleep(LOOK_S)

    def _settled(self) -> bool:
        found = self.rds.describe_db_instances(DBInstanceIdentifier=self.instance)["DBInstances"][0]
        waiting = found.get("PendingModifiedValues") or {}
        return "MasterUserPassword" not in waiting and found["DBInstanceStatus"] != "resetting-master-credentials"


class Cache(Password):
    """An ElastiCache user with up to two passwords."""

    def __init__(self, username: str, user_id: str, elasticache: Any) -> None:
        super().__init__(username)
        self.user_id, self.elasticache = user_id, elasticache

    def use(self, pending: dict[str, Any], current: dict[str, Any]) -> None:
        passwords = [each["password"] for each in (current, pending) if each.get("password")]
        self.elasticache.modify_user(
            UserId=self.user_id, AuthenticationMode={"Type": "password", "Passwords": passwords}
        )

    def check(self, pending: dict[str, Any]) -> None:  # noqa: ARG002
        until = time.monotonic() + SETTLED_S
        while self.elasticache.describe_users(UserId=self.user_id)["Users"][0]["Status"] != "active":
            if time.monotonic() > until:
                raise TimeoutError(f"user {self.user_id} has not taken the password within {SETTLED_S} s")
            time.sleep(LOOK_S)


def rotate(event: dict[str, str], store: Any, kind: Kind) -> None:
    """One step of a rotation; each may be called again.

    Args:
        event: `SecretId`, `ClientRequestToken` (the version that becomes current) and `Step`.
        store: a Secrets Manager client.
    """
    secret, version = event["SecretId"], event["ClientRequestToken"]
    stages = store.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    if "AWSCURRENT" in stages.get(version, []):
        return  # done before
    current_version = next((each for each, labels in stages.items() if "AWSCURRENT" in labels), None)
    current = _read(store, secret, "AWSCURRENT") if current_version else {}
    match event["Step"]:
        case "createSecret":
            if "AWSPENDING" not in stages.get(version, []) or not _read(store, secret, "AWSPENDING", version):
                store.put_secret_value(
                    SecretId=secret, ClientRequestToken=version, VersionStages=["AWSPENDING"],
                    SecretString=json.dumps(kind.make(current)),
                )  # fmt: skip
        case "setSecret":
            kind.use(_read(store, secret, "AWSPENDING", version), current)
        case "testSecret":
            kind.check(_read(store, secret, "AWSPENDING", version))
        case "finishSecret":
            moved = {"RemoveFromVersionId": current_version} if current_version else {}
            store.update_secret_version_stage(
                SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, **moved
            )
        case other:
            raise ValueError(f"no step is called {other!r}")


def _read(store: Any, secret: str, stage: str, version: str = "") -> dict[str, Any]:
    """A version's value; empty where there is none yet."""
    asked = {"SecretId": secret, "VersionStage": stage, **({"VersionId": version} if version else {})}
    try:
        return dict(json.loads(store.get_secret_value(**asked)["SecretString"]))
    except store.exceptions.ResourceNotFoundException:
        return {}


def handler(event: dict[str, str], context: object) -> None:  # noqa: ARG001 - Lambda's signature
    """Where Lambda comes in."""
    import boto3  # type: ignore[import-not-found,unused-ignore] # Lambda brings it

    username, target = os.environ.get("USERNAME", ""), os.environ.get("TARGET", "")
    kind: Kind
    match os.environ["KIND"]:
        case "database":
            kind = Database(username, target, boto3.client("rds"))
        case "cache":
            kind = Cache(username, target, boto3.client("elasticache"))
        case "key":
            kind = Kept(make_key)
        case "vapid":
            kind = Kept(make_vapid_key)
        case _:
            kind = Signing()
    rotate(event, boto3.client("secretsmanager"), kind)
