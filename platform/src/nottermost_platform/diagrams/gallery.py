"""Which pictures an environment has, and the page that shows them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from nottermost_platform.diagrams.architecture import Model, load_model
from nottermost_platform.diagrams.c4 import draw_views
from nottermost_platform.diagrams.drawing import Picture
from nottermost_platform.diagrams.exposure import draw_exposure
from nottermost_platform.diagrams.network import draw_networks
from nottermost_platform.diagrams.rendering import HASH, find_stale, render
from nottermost_platform.diagrams.sequence import draw_sequences
from nottermost_platform.diagrams.services import draw_services
from nottermost_platform.diagrams.stacks import draw_stacks
from nottermost_platform.graph import Graph
from nottermost_platform.program import ROOT
from nottermost_platform.targets import WrongUsage

FOLDER: Final = ROOT / "docs" / "diagrams"
COMMITTED: Final = "prod"  # the environment whose pictures are kept; the model's are drawn with it
PAGE: Final = "README.md"
SECTIONS: Final = (  # of the page, by the beginnings of the pictures' names
    ("The environment", ("overview",)),
    ("The network", ("network",)),
    ("The services", ("services", "uses")),
    ("Who reaches whom", ("reachability",)),
    ("The chat", ("c4-", "sequence-")),
    ("Each stack", ("stack-",)),
)


class NoSuchPicture(WrongUsage):
    """A name that no picture has."""

    code = "no_such_picture"


def draw_all(graph: Graph, model: Model | None = None) -> list[Picture]:
    """Every picture of an environment, not laid out yet; with a model, the chat's too. Raises: UnknownValues."""
    found = [*draw_stacks(graph), *draw_networks(graph), *draw_services(graph), *draw_exposure(graph)]
    if model is not None:
        found += [*draw_views(model), *draw_sequences(model)]
    return sorted(found, key=lambda each: (_section(each.name), found.index(each)))


def model_of(env: str) -> Model | None:
    """The model of the chat, for the environment that has all of it. Raises: BadModel, UnknownSchema."""
    return load_model() if env == COMMITTED else None


def select(pictures: Sequence[Picture], only: Sequence[str]) -> list[Picture]:
    """Those that are asked for, all where nothing is. Raises: NoSuchPicture."""
    names = [each.name for each in pictures]
    for name in only:
        if name not in names:
            raise NoSuchPicture(f"no picture is called {name}; there are {', '.join(names)}")
    return [each for each in pictures if not only or each.name in only]


def write_all(pictures: Sequence[Picture], folder: Path, *, page: str = "") -> list[Path]:
    """Lays pictures out and writes them; with a page all of them, and what is no longer drawn goes.

    Nothing is written unless all of them can be. Raises: NoGraphviz, LayoutFailed, OSError.
    """
    drawn = render(pictures)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{each.name}.svg" for each in pictures]
    for path, svg in zip(paths, drawn, strict=True):
        path.write_bytes(svg)
    if page:
        (folder / PAGE).write_text(page)
        for path in find_strays(pictures, folder):
            path.unlink()
    return paths


def find_strays(pictures: Sequence[Picture], folder: Path) -> list[Path]:
    """Pictures of ours in a folder that are no longer drawn."""
    names = {f"{each.name}.svg" for each in pictures}
    return [path for path in sorted(folder.glob("*.svg")) if path.name not in names and HASH.search(path.read_bytes())]


def check_all(pictures: Sequence[Picture], folder: Path, *, page: str = "") -> list[str]:
    """A sentence for each picture, and for the page, that is not what the sources say now."""
    said = [f"{name}.svg is stale or missing" for name in find_stale(pictures, folder)]
    if page:
        said += [f"{path.name} is of nothing that is there any more" for path in find_strays(pictures, folder)]
        shown = folder / PAGE
        said += [] if shown.is_file() and shown.read_text() == page else [f"{PAGE} is stale or missing"]
    return said


def render_page(env: str, pictures: Sequence[Picture]) -> str:
    """Markdown that shows each picture with its sentence."""
    return "\n".join(_page(env, pictures)) + "\n"


def _page(env: str, pictures: Sequence[Picture]) -> Iterator[str]:
    yield f"# Pictures of {env}"
    yield (
        "Drawn from the resource graph and from the chat's [model](../../services/reference-chat/architecture.yaml) by"
        f" `nottermost env diagram {env}`; do not edit them. `--check` tells which are stale."
    )
    for place, (title, _) in enumerate(SECTIONS):
        shown = [each for each in pictures if _section(each.name) == place]
        if shown:
            yield f"\n## {title}"
        for each in shown:
            yield f"\n### {each.title}\n{each.caption}\n\n![{each.title}]({each.name}.svg)"


def _section(name: str) -> int:
    return next(place for place, (_, beginnings) in enumerate(SECTIONS) if name.startswith(beginnings))
