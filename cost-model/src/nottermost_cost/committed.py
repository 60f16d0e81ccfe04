"""What is generated and committed: the capacity table, the page about a hundred million users, and the schemas."""

from pathlib import Path

from nottermost_cost import overview, reproduce
from nottermost_cost.schemas import render_schemas


def render_committed() -> dict[Path, str]:
    """Every generated file by its path. Raises: CostError as an estimate does."""
    return {
        overview.PATH: overview.render_overview(),
        reproduce.DOCUMENT: reproduce.render_document(reproduce.reproduce("100m-dau")),
        **render_schemas(),
    }


def find_stale() -> list[Path]:
    """Those that are missing or differ."""
    return sorted(
        path
        for path, text in render_committed().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    )


def write_committed() -> list[Path]:
    """Write them; returns the files that changed."""
    stale = find_stale()
    rendered = render_committed() if stale else {}
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rendered[path], encoding="utf-8")
    return stale
