"""Talks to OpenSearch, signed where it is a domain of AWS, and says whether what is there is what is wanted."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ANSWER_S: Final = 60  # a new index waits for its shards; on AWS half a minute was seen
Json = dict[str, Any]


class SearchError(Exception):
    """OpenSearch refused, or did not answer; the sentence says which."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json


@dataclass(frozen=True)
class Client:
    """One cluster.

    Attributes:
        url: with scheme, without a path.
        region: requests are signed for it; "": they are not signed.
        role_arn: taken before signing; "": the process's own credentials.
    """

    url: str
    region: str = ""
    role_arn: str = ""
    _credentials: list[Any] = field(default_factory=list, repr=False)

    def get(self, path: str) -> Json | None:
        """What is there; None for a 404. Raises: SearchError."""
        answer = self.ask("GET", path, None)
        return None if answer.status == 404 else self._checked("GET", path, answer).body

    def send(self, method: str, path: str, body: Json) -> Json:
        """Raises: SearchError unless it was done."""
        return self._checked(method, path, self.ask(method, path, body)).body

    def _checked(self, method: str, path: str, answer: Answer) -> Answer:
        if answer.status >= 300:
            reason = json.dumps(answer.body)[:500]
            raise SearchError(f"{self.url} answers {answer.status} to {method} {path}: {reason}")
        return answer

    def ask(self, method: str, path: str, body: Json | None) -> Answer:
        """Whatever the answer is. Raises: SearchError when there is none."""
        url = self.url.rstrip("/") + path
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        if self.region:
            headers = self._sign(method, url, content, headers)
        request = urllib.request.Request(url, data=content, headers=headers, method=method)  # noqa: S310 - from the inventory
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - as above
                return Answer(answer.status, _decode(answer.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _decode(error.read()))
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise SearchError(f"{self.url} does not answer ({reason}): is this machine in its network?") from error

    def _sign(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        if not self._credentials:
            self._credentials.append(_find_credentials(self.region, self.role_arn))
        request = AWSRequest(method=method, url=url, data=content, headers=dict(headers))
        SigV4Auth(self._credentials[0], "es", self.region).add_auth(request)
        return dict(request.headers.items())


def _find_credentials(region: str, role_arn: str) -> Any:
    """Raises: SearchError when there are none, or the role cannot be taken."""
    import botocore.session
    from botocore.credentials import Credentials
    from botocore.exceptions import BotoCoreError, ClientError

    session = botocore.session.get_session()
    own = session.get_credentials()
    if own is None:
        raise SearchError("requests to OpenSearch on AWS are signed: give this machine a role or credentials")
    if not role_arn:
        return own
    try:
        sts: Any = session.create_client("sts", region_name=region)
        taken = sts.assume_role(RoleArn=role_arn, RoleSessionName="nottermost-bootstrap")["Credentials"]
    except (BotoCoreError, ClientError) as error:
        raise SearchError(f"{role_arn} cannot be taken: {error}") from error
    return Credentials(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])


def _decode(content: bytes) -> Json:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {"text": content[:200].decode(errors="replace")}
    return found if isinstance(found, dict) else {"list": found}


# --- what is compared -----------------------------------------------------------------------------


def path_of(kind: str, name: str) -> str:
    """Where an object of this kind is."""
    return {
        "component_template": "/_component_template/",
        "index_template": "/_index_template/",
        "policy": "/_plugins/_ism/policies/",
        "role": "/_plugins/_security/api/roles/",
        "role_mapping": "/_plugins/_security/api/rolesmapping/",
        "index": "/",
        "alias": "/_alias/",
    }[kind] + urllib.parse.quote(name, safe="")


def extract(kind: str, name: str, answer: Json | None) -> Json | None:
    """The object in an answer, in the form in which it is written."""
    if answer is None:
        return None
    match kind:
        case "component_template":
            found = answer["component_templates"][0]["component_template"]
        case "index_template":
            found = answer["index_templates"][0]["index_template"]
        case "policy":
            found = answer["policy"]
        case "role" | "role_mapping":
            found = answer[name]
        case "alias":
            found = {"indices": sorted(answer)}
        case _:
            found = answer[name] if name in answer else next(iter(answer.values()))
    return dict(found)


def normalise(kind: str, body: Json) -> Json:
    """One form for what is sent and what OpenSearch gives back: settings are flat there, and text."""
    if kind not in ("component_template", "index_template"):
        return body
    template = dict(body.get("template") or {})
    if "settings" in template:
        template["settings"] = {_prefixed(key): _text(value) for key, value in _flatten(template["settings"]).items()}
    return {key: value for key, value in {**body, "template": template}.items() if value not in ([], {}, None)}


def _prefixed(key: str) -> str:
    return key if key.startswith("index.") else f"index.{key}"


def _flatten(value: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for key, each in value.items():
        flat |= _flatten(each, f"{prefix}{key}.") if isinstance(each, dict) else {f"{prefix}{key}": each}
    return flat


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def differs(kind: str, wanted: Json, found: Json | None) -> bool:
    """Templates are compared whole. Of the rest the server adds fields of its own, which are left out of it."""
    if found is None:
        return True
    if kind in ("component_template", "index_template"):
        return normalise(kind, wanted) != normalise(kind, found)
    return not contains(found, wanted)


def contains(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there; lists have to be of one length."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and contains(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        pairs = isinstance(found, list) and len(found) == len(wanted)
        return pairs and all(contains(one, other) for one, other in zip(found, wanted, strict=True))
    return bool(found == wanted or str(found) == str(wanted))


def project(found: Any, wanted: Any) -> Any:
    """What is there of what is wanted: the other side of a diff, without the server's own fields."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {key: project(found[key], value) for key, value in wanted.items() if key in found}
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [project(one, other) for one, other in zip(found, wanted, strict=True)]
    return found
