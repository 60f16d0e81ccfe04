"""What users agree to: documents with versions, given and withdrawn, with the times kept."""

import re
from collections.abc import Mapping
from typing import Final

from nottermost_chat.api import shapes
from nottermost_chat.directory.consents import Consent
from nottermost_chat.errors import BadRequest, Conflict, ConsentMissing, NotFound, StartError
from nottermost_chat.protocol import to_time, to_time_or_none
from nottermost_chat.services import Services
from nottermost_chat.settings import Settings

_DOCUMENT: Final = re.compile(r"([a-z][a-z0-9-]{0,39})=([A-Za-z0-9._-]{1,40})")


def parse_documents(text: str) -> dict[str, str]:
    """`terms=2026-11,privacy=2` as versions by document. Raises StartError."""
    versions: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _DOCUMENT.fullmatch(part)
        if found is None or found[1] in versions:
            raise StartError(f"consent_documents: {part!r} has to be a document with its version, like terms=2026-11")
        versions[found[1]] = found[2]
    return versions


def current_documents(settings: Settings) -> shapes.ConsentDocuments:
    """What there is to agree to."""
    versions = parse_documents(settings.consent_documents)
    documents = [shapes.ConsentDocument(document=name, version=version) for name, version in versions.items()]
    return shapes.ConsentDocuments(documents=documents, required=settings.consent_required)


def check_consents(settings: Settings, given: Mapping[str, str]) -> Mapping[str, str]:
    """What somebody agrees to as they register: versions of now, and all of them where that is required.

    Raises: ConsentMissing, BadRequest.
    """
    versions = parse_documents(settings.consent_documents)
    for document, version in given.items():
        if versions.get(document) != version:
            raise BadRequest(f"there is no version {version} of {document} to agree to now: read it again")
    if settings.consent_required and (missing := [name for name in versions if name not in given]):
        raise ConsentMissing(f"an account needs agreement to: {', '.join(missing)}")
    return given


async def list_consents(services: Services, caller_id: str) -> shapes.ConsentsView:
    """What there is to agree to now, and everything that the caller ever agreed to, the oldest first."""
    rows = await services.directory.consents.of_user(caller_id)
    return shapes.ConsentsView(
        documents=current_documents(services.settings).documents, given=[_view(row) for row in rows]
    )


async def give(services: Services, caller_id: str, wanted: shapes.ConsentRequest) -> shapes.ConsentsView:
    """Agree to the version of now; again is the same as once. Raises NotFound, Conflict for another version."""
    version = parse_documents(services.settings.consent_documents).get(wanted.document)
    if version is None:
        raise NotFound(f"there is no document {wanted.document} to agree to")
    if version != wanted.version:
        raise Conflict(f"{wanted.document} is at version {version} now, not {wanted.version}: read that first")
    await services.directory.consents.give(caller_id, wanted.document, wanted.version)
    return await list_consents(services, caller_id)


async def withdraw(services: Services, caller_id: str, document: str) -> None:
    """Agree to no version of it any more; that one did stays to be seen. Raises NotFound when one does not."""
    if not await services.directory.consents.withdraw(caller_id, document):
        raise NotFound(f"you have agreed to no {document}")


def _view(row: Consent) -> shapes.ConsentView:
    return shapes.ConsentView(
        document=row.document,
        version=row.version,
        given_at=to_time(row.given_at),
        withdrawn_at=to_time_or_none(row.withdrawn_at),
    )
