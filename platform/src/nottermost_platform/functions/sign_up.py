"""Before a user signs up: only addresses of the allowed domains, where there are any."""

import os
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Refuses by raising; Cognito shows the sentence to the user."""
    allowed = os.environ.get("EMAIL_DOMAINS", "").split()
    address = str(event["request"]["userAttributes"].get("email", ""))
    if allowed and address.rpartition("@")[2].lower() not in allowed:
        raise ValueError("Sign up with an address of your organisation")
    return event
