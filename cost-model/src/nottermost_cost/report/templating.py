"""The pages' templates: one base with the style, and macros for tables and charts."""

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

FOLDER: Final = "nottermost_cost.report"


def render_template(name: str, **values: object) -> str:
    """A template of the folder; what people wrote is escaped. Raises: jinja2.UndefinedError for a value that is missing."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
