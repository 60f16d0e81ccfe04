"""What the Lambda functions do, called with small stand-ins of AWS's clients."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest

from nottermost_platform.functions import claims, rotate, sign_up

FIRST, SECOND = "11111111", "22222222"


class Missing(Exception):
    """As Secrets Manager says that there is no such version or no value in it."""


class Store:
    """Secrets Manager with one secret, which begins without a value, as ours do."""

    class exceptions:  # noqa: N801 - as boto3 has it
        ResourceNotFoundException = Missing

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.stages: dict[str, list[str]] = {}

    def begin(self, version: str) -> None:
        """As a rotation begins: the version is there, without a value."""
        self.stages[version] = ["AWSPENDING"]

    def describe_secret(self, **_: str) -> dict[str, Any]:
        return {"VersionIdsToStages": {key: list(each) for key, each in self.stages.items()}} if self.stages else {}

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        stage, version = asked["VersionStage"], asked.get("VersionId", "")
        found = [key for key, each in self.stages.items() if stage in each and version in ("", key)]
        if not found or found[0] not in self.values:
            raise Missing
        return {"SecretString": self.values[found[0]]}

    def put_secret_value(self, **given: Any) -> None:
        version = given["ClientRequestToken"]
        self.values[version], self.stages[version] = given["SecretString"], given["VersionStages"]

    def update_secret_version_stage(self, **given: str) -> None:
        if "RemoveFromVersionId" in given:
            self.stages[given["RemoveFromVersionId"]] = ["AWSPREVIOUS"]
        self.stages[given["MoveToVersionId"]] = [given["VersionStage"]]

    @property
    def current(self) -> dict[str, Any]:
        return dict(json.loads(self.get_secret_value(SecretId="", VersionStage="AWSCURRENT")["SecretString"]))


def rotate_once(store: Store, kind: rotate.Kind, version: str, *, times: int = 1) -> None:
    """All four steps, each `times` times: Secrets Manager repeats what it is not sure of."""
    store.begin(version)
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        for _ in range(times):
            rotate.rotate({"SecretId": "s", "ClientRequestToken": version, "Step": step}, store, kind)


def test_the_first_rotation_fills_an_empty_secret() -> None:
    """Nothing but the function has ever known the value."""
    store = Store()
    rotate_once(store, rotate.Signing(), FIRST)
    assert len(store.current["keys"]) == 2
    assert store.stages == {FIRST: ["AWSCURRENT"]}


def test_every_key_is_published_before_it_signs() -> None:
    """Over many rotations the first key was the last of the set before, and the one that signed still verifies."""
    store = Store()
    rotate_once(store, rotate.Signing(), "0")
    for n in range(1, 6):
        before = [key["kid"] for key in store.current["keys"]]
        rotate_once(store, rotate.Signing(), str(n))
        after = [key["kid"] for key in store.current["keys"]]
        assert after[0] == before[-1]
        assert before[0] in after[:2]
        assert after[-1] not in before
        assert len(after) == 3


@pytest.mark.parametrize("make_key", [rotate.make_key, rotate.make_vapid_key])
def test_a_key_that_must_not_change_stays(make_key: Callable[[], str]) -> None:
    """32 bytes in base64url as the chat takes them, and the same after any rotation: it encrypts what is kept."""
    store = Store()
    rotate_once(store, rotate.Kept(make_key), FIRST, times=2)
    first = store.current
    assert len(urlsafe_b64decode(first["key"] + "=")) == 32
    rotate_once(store, rotate.Kept(make_key), SECOND)
    assert store.current == first
    assert store.stages == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT"]}
    assert make_key() != make_key()


def test_steps_may_be_repeated() -> None:
    """A repeated step changes nothing more, and a finished rotation is left alone."""
    store = Store()
    rotate_once(store, rotate.Signing(), FIRST, times=3)
    value = store.current
    rotate.rotate({"SecretId": "s", "ClientRequestToken": FIRST, "Step": "createSecret"}, store, rotate.Signing())
    assert store.current == value


def test_an_unknown_step_is_an_error() -> None:
    """Not silently nothing: Secrets Manager would take the rotation as done."""
    store = Store()
    store.begin(FIRST)
    with pytest.raises(ValueError, match="no step is called 'guess'"):
        rotate.rotate({"SecretId": "s", "ClientRequestToken": FIRST, "Step": "guess"}, store, rotate.Signing())


class Rds:
    """An instance that takes a password after a few looks."""

    def __init__(self, *, looks: int) -> None:
        self.password, self.looks = "", looks

    def modify_db_instance(self, **given: Any) -> None:
        assert (given["DBInstanceIdentifier"], given["ApplyImmediately"]) == ("prod-use1-database", True)
        self.password = given["MasterUserPassword"]

    def describe_db_instances(self, **_: str) -> dict[str, Any]:
        self.looks -= 1
        if self.looks == 1:
            return {"DBInstances": [{"DBInstanceStatus": "resetting-master-credentials"}]}
        waiting = {"MasterUserPassword": "****"} if self.looks > 1 else {}
        return {"DBInstances": [{"DBInstanceStatus": "available", "PendingModifiedValues": waiting}]}


def test_the_database_has_the_password_before_it_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test step waits until RDS is done with it; the current value is what RDS was given."""
    monkeypatch.setattr(rotate, "LOOK_S", 0)
    store, rds = Store(), Rds(looks=4)
    rotate_once(store, rotate.Database("nottermost", "prod-use1-database", rds), FIRST)
    assert rds.looks == 0
    assert store.current == {"username": "nottermost", "password": rds.password}
    assert len(rds.password) == 48


def test_a_database_that_does_not_take_it_keeps_the_old_password_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes the rotation fails with a sentence, and nothing is moved."""
    monkeypatch.setattr(rotate, "LOOK_S", 0)
    monkeypatch.setattr(rotate, "SETTLED_S", -1)
    store = Store()
    with pytest.raises(TimeoutError, match="prod-use1-database has not taken the password"):
        rotate_once(store, rotate.Database("nottermost", "prod-use1-database", Rds(looks=9)), FIRST)
    assert store.stages == {FIRST: ["AWSPENDING"]}


class ElastiCache:
    """A user with up to two passwords."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    def modify_user(self, **given: Any) -> None:
        assert (given["UserId"], given["AuthenticationMode"]["Type"]) == ("chat", "password")
        self.passwords = given["AuthenticationMode"]["Passwords"]

    def describe_users(self, **_: str) -> dict[str, Any]:
        return {"Users": [{"Status": "active"}]}


def test_the_cache_takes_old_and_new_until_the_next_rotation() -> None:
    """So that a connection made with the value of a minute ago is let in."""
    store, cache = Store(), ElastiCache()
    kind = rotate.Cache("chat", "chat", cache)
    rotate_once(store, kind, FIRST)
    first = store.current["password"]
    assert cache.passwords == [first]
    rotate_once(store, kind, SECOND)
    assert cache.passwords == [first, store.current["password"]]
    assert first != store.current["password"]


@pytest.mark.parametrize(
    ("domains", "address", "let_in"),
    [
        ("", "a@anywhere.org", True),
        ("example.com", "a@example.com", True),
        ("example.com", "a@EXAMPLE.com", True),
        ("example.com", "a@notexample.com", False),
        ("example.com", "a@example.com@evil.org", False),
        ("example.com other.org", "a@other.org", True),
        ("example.com", "", False),
    ],
)
def test_sign_up(monkeypatch: pytest.MonkeyPatch, domains: str, address: str, let_in: bool) -> None:
    """Only addresses of the allowed domains; without any, every address."""
    monkeypatch.setenv("EMAIL_DOMAINS", domains)
    event = {"request": {"userAttributes": {"email": address}}, "response": {}}
    if let_in:
        assert sign_up.handler(event, None) is event
    else:
        with pytest.raises(ValueError, match="Sign up with an address of your organisation"):
            sign_up.handler(event, None)


def test_tokens_say_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """In access and identity tokens, in the shape of the trigger's second version."""
    monkeypatch.setenv("ENVIRONMENT", "staging")
    said = claims.handler({"response": {}}, None)["response"]["claimsAndScopeOverrideDetails"]
    for kind in ("accessTokenGeneration", "idTokenGeneration"):
        assert said[kind]["claimsToAddOrOverride"] == {"env": "staging"}
