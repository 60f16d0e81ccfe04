"""/api/users/me/consents: what the caller agrees to; /api/users/auth/consents: what there is, for who registers."""

from typing import Annotated

from litestar import Router, delete, get, put
from litestar.params import JSONBody, QueryParameter

from nottermost_chat.actions import consents
from nottermost_chat.api import shapes
from nottermost_chat.api.request import ApiRequest

Document = Annotated[str, QueryParameter(min_length=1, max_length=40, description="which one")]


@get("/consents")
async def list_documents(request: ApiRequest) -> shapes.ConsentDocuments:
    """What there is to agree to, with the versions of now."""
    return consents.current_documents(request.services.settings)


@get("/consents")
async def list_consents(request: ApiRequest) -> shapes.ConsentsView:
    """What there is to agree to, and what the caller has agreed to since when."""
    return await consents.list_consents(*request.who)


@put("/consents")
async def give_consent(request: ApiRequest, data: JSONBody[shapes.ConsentRequest]) -> shapes.ConsentsView:
    """Agree to the version of now."""
    return await consents.give(*request.who, data)


@delete("/consents")
async def withdraw_consent(request: ApiRequest, document: Document) -> None:
    """Agree no more."""
    await consents.withdraw(*request.who, document)


document_routes = Router(path="/api/users/auth", route_handlers=[list_documents], tags=["consents"])
consent_routes = Router(
    path="/api/users/me",
    route_handlers=[list_consents, give_consent, withdraw_consent],
    tags=["consents"],
)
