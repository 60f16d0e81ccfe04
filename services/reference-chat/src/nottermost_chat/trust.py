"""Whose certificates are believed where we call others."""

import ssl

import certifi

from nottermost_chat.errors import StartError


def trusted(authorities: str = "") -> ssl.SSLContext:
    """The usual authorities, and those of a PEM file if one is named. Raises StartError."""
    context = ssl.create_default_context(cafile=certifi.where())
    if authorities:
        try:
            context.load_verify_locations(cafile=authorities)
        except OSError as error:  # what OpenSSL cannot read is one too
            reason = error.strerror or "it holds no certificate"
            raise StartError(f"NOTTERMOST_AUTHORITIES: {authorities} cannot be used ({reason})") from error
    return context
