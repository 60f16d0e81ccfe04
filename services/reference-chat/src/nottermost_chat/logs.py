"""How the chat logs."""

import logging
import sys

import structlog


def configure_logging(level: str, *, role: str = "") -> None:
    """Structured lines on stderr: JSON off a terminal, readable on one. Never a message text or a secret.

    `role`: stands in every line, since the processes of a cluster log to one place.
    """
    if role:
        structlog.contextvars.bind_contextvars(role=role)
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
