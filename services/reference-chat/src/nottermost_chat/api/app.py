"""The API as one ASGI application: everything that is not live, and the web page."""

import secrets

from litestar import Litestar, Router, asgi
from litestar.datastructures import State

from nottermost_chat.actions.consents import parse_documents
from nottermost_chat.actions.files import FileTools
from nottermost_chat.api.audit import audit_routes
from nottermost_chat.api.bots import bot_routes, bot_session_routes
from nottermost_chat.api.chats import chat_routes
from nottermost_chat.api.consents import consent_routes, document_routes
from nottermost_chat.api.edge import Edge
from nottermost_chat.api.files import file_routes, link_routes
from nottermost_chat.api.limits import RequestLimits
from nottermost_chat.api.messages import message_routes
from nottermost_chat.api.notifications import notification_routes
from nottermost_chat.api.openapi import make_config
from nottermost_chat.api.pages import get_asset, get_page, load_assets
from nottermost_chat.api.privacy import export_routes, privacy_routes
from nottermost_chat.api.problems import answer_problem
from nottermost_chat.api.request import ApiRequest, StrictBody, authenticate, check_query
from nottermost_chat.api.retention import retention_routes
from nottermost_chat.api.search import search_routes
from nottermost_chat.api.users import session_routes, user_routes
from nottermost_chat.api.webhooks import hook_routes, webhook_routes
from nottermost_chat.api.workspaces import workspace_routes
from nottermost_chat.files import Images
from nottermost_chat.operations import PATHS, OperationsApp, Ready
from nottermost_chat.protocol import FRAME_BYTES_MAX
from nottermost_chat.services import Services


def create_app(
    services: Services, ready: Ready = lambda: (True, "not watched"), *, link_secret: bytes = b""
) -> Litestar:
    """The application over these parts.

    Args:
        ready: whether a message went through lately, and a sentence about it; for `/readyz`.
        link_secret: signs links to files; b"": a new one, so that links end with the process.
    """
    parse_documents(services.settings.consent_documents)  # a mistake in them ends the start, not each request
    images = Images(services.settings.limits.image_pixels_max)
    state = {
        "services": services,
        "limits": RequestLimits(services),
        "files": FileTools(images, link_secret or secrets.token_bytes(32)),
        "assets": load_assets(),
    }
    operations = [asgi(path, copy_scope=False)(OperationsApp(services.metrics, ready)) for path in PATHS]
    for_anybody = Router(
        path="/",
        guards=[check_query],
        route_handlers=[session_routes, document_routes, link_routes, export_routes, hook_routes, bot_session_routes],
    )
    for_users = Router(
        path="/",
        guards=[authenticate, check_query],
        security=[{"bearer": []}],
        route_handlers=[
            user_routes, workspace_routes, chat_routes, message_routes, file_routes, search_routes, retention_routes,
            privacy_routes, webhook_routes, bot_routes, notification_routes, audit_routes, consent_routes,
        ],
    )  # fmt: skip
    app = Litestar(
        route_handlers=[for_anybody, for_users, get_page, get_asset, *operations],
        request_class=ApiRequest,
        dto=StrictBody,
        exception_handlers={Exception: answer_problem},
        openapi_config=make_config(),
        logging_config=None,  # structlog, configured by whoever starts the process
        request_max_body_size=FRAME_BYTES_MAX,  # as large as a socket frame: a body of 100,000 escaped code points
        state=State(state),
        on_shutdown=[images.close],
    )
    app.asgi_handler = Edge(app.asgi_handler, services)
    return app
