"""Before tokens are made: the access token says of which environment it is, so that another one refuses it."""

import os
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Adds the claim `env`, in the trigger's second version, which reaches access tokens."""
    claims = {"env": os.environ["ENVIRONMENT"]}
    event["response"]["claimsAndScopeOverrideDetails"] = {
        "accessTokenGeneration": {"claimsToAddOrOverride": claims},
        "idTokenGeneration": {"claimsToAddOrOverride": claims},
    }
    return event
