"""From DOT text to an SVG of a page's width: runs Graphviz, adds title, legend, alternative text and a hash."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Final

from nottermost_conventions.errors import NottermostError
from nottermost_platform.diagrams.drawing import INK, QUIET, Picture, Swatch, wrapped

WIDTH: Final = 960  # pixels: what a page of documents has room for
MARGIN: Final = 20
PIXELS_A_POINT: Final = 4 / 3
TEXT_PX_MIN: Final = 10.5  # smaller text is not read
DOT_S_MAX: Final = 20.0  # a picture takes 0.2 s; one that takes longer than this is stuck
PARALLEL: Final = 2
FONTS: Final = "Arial, Helvetica, 'Liberation Sans', sans-serif"
FORM: Final = "1"  # raise it when this file makes something else of the same source
HASH: Final = re.compile(rb'data-source="sha256:([0-9a-f]{64})"')
BODY: Final = re.compile(r'<g id="graph0"[^>]*>\n(?:<title>[^<]*</title>\n)?(.*)</g>\n</svg>', re.DOTALL)
SIZE: Final = re.compile(r'viewBox="0\.00 0\.00 ([0-9.]+) ([0-9.]+)"')
FONT_SIZE: Final = re.compile(r'font-size="([0-9.]+)"')


class NoGraphviz(NottermostError):
    """The program that lays pictures out is not installed."""

    code = "no_graphviz"


class LayoutFailed(NottermostError):
    """Graphviz did not make a picture, or none that can be read."""

    code = "layout_failed"


def find_dot() -> str:
    """Where Graphviz is. Raises: NoGraphviz."""
    found = shutil.which("dot")
    if found is None:
        raise NoGraphviz("pictures need Graphviz: sudo apt-get install graphviz fonts-liberation")
    return found


def hash_source(picture: Picture) -> str:
    """What a picture is made of, as 64 digits: layouts differ between versions of Graphviz, this does not."""
    return hashlib.sha256("\0".join((FORM, repr(picture))).encode()).hexdigest()


def find_stale(pictures: Iterable[Picture], folder: Path) -> list[str]:
    """The names of pictures whose file is missing, or was made of something else."""
    return [each.name for each in pictures if _hash_of(folder / f"{each.name}.svg") != hash_source(each)]


def _hash_of(path: Path) -> str:
    found = HASH.search(path.read_bytes()[:4000]) if path.is_file() else None
    return found[1].decode() if found else ""


def render(pictures: Sequence[Picture]) -> list[bytes]:
    """SVG of each, in their order. Raises: NoGraphviz, LayoutFailed."""
    dot = find_dot() if any(not each.height for each in pictures) else ""
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda each: _render(each, dot), pictures))


def _render(picture: Picture, dot: str) -> bytes:
    if picture.height:
        return _compose(picture, picture.source, picture.height)
    laid_out = _run_dot(dot, picture)
    size, body = SIZE.search(laid_out), BODY.search(laid_out)
    if size is None or body is None:
        raise LayoutFailed(f"{picture.name}: Graphviz wrote no picture that this version understands")
    width, height = float(size[1]), float(size[2])
    scale = min(PIXELS_A_POINT, (WIDTH - 2 * MARGIN) / width)
    smallest = min((float(each) for each in FONT_SIZE.findall(body[1])), default=TEXT_PX_MIN)
    if smallest * scale < TEXT_PX_MIN:
        raise LayoutFailed(
            f"{picture.name}: {width:.0f} points wide, its text would be {smallest * scale:.1f} pixels high on a page,"
            f" {TEXT_PX_MIN} is the least: group, wrap or split it"
        )
    left = (WIDTH - width * scale) / 2
    moved = f'<g transform="translate({left:.1f} 0) scale({scale:.4f}) translate(0 {height:.2f})">'
    return _compose(picture, f"{moved}\n{body[1]}</g>", round(height * scale))


def _run_dot(dot: str, picture: Picture) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - Graphviz, with text of our own
            [dot, "-Tsvg"], input=picture.source.encode(), capture_output=True, timeout=DOT_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LayoutFailed(f"{picture.name}: Graphviz took longer than {DOT_S_MAX:.0f} s: simplify it") from error
    if done.returncode or done.stderr.strip():
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise LayoutFailed(f"{picture.name}: Graphviz ended with {done.returncode} and said: {said[0]}")
    return re.sub(r"<!--.*?-->\n?", "", done.stdout.decode(), flags=re.DOTALL)


def _compose(picture: Picture, body: str, height: int) -> bytes:
    """The whole file. `body`: what is between heading and legend, from 0 to `height` pixels."""
    heading = _texts([picture.title], MARGIN, 34, 20, bold=True)
    caption = wrapped(picture.caption, 150)
    heading += _texts(caption, MARGIN, 56, 12.5, color=QUIET)
    top = 56 + 16 * len(caption)
    legend, legend_height = _legend(picture.legend, top + height + 20)
    total = top + height + 20 + legend_height + 8
    name = escape(picture.name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{WIDTH}"'
        f' height="{total}" viewBox="0 0 {WIDTH} {total}" role="img" aria-labelledby="{name}-title {name}-desc"'
        f' font-family="{FONTS}" data-source="sha256:{hash_source(picture)}">\n'
        f'<title id="{name}-title">{escape(picture.title)}</title>\n'
        f'<desc id="{name}-desc">{escape(picture.caption)}</desc>\n'
        f'<rect width="{WIDTH}" height="{total}" rx="8" fill="#ffffff" stroke="#cbd5e1"/>\n'
        f'{heading}<g transform="translate(0 {top})">\n{_plain(body)}\n</g>\n{legend}</svg>\n'
    ).encode()


def _plain(body: str) -> str:
    """Without the fonts that Graphviz names on each text: the file names them once."""
    return re.sub(r' font-family="[^"]*"', "", body)


def _texts(lines: Sequence[str], x: float, y: float, size: float, *, bold: bool = False, color: str = INK) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return "".join(
        f'<text x="{x:g}" y="{y + 16 * place:g}" font-size="{size:g}" fill="{color}"{weight}>{escape(line)}</text>\n'
        for place, line in enumerate(lines)
    )


def _legend(swatches: Sequence[Swatch], top: int) -> tuple[str, int]:
    """The legend in as many lines as it takes, and its height."""
    x, y, parts = MARGIN, top, []
    for each in swatches:
        width = 26 + round(5.9 * len(each.text)) + 16
        if x > MARGIN and x + width > WIDTH - MARGIN:
            x, y = MARGIN, y + 22
        dashes = ' stroke-dasharray="3 2"' if each.dashed else ""
        parts.append(
            f'<rect x="{x}" y="{y}" width="18" height="12" rx="3" fill="{each.paint.fill}"'
            f' stroke="{each.paint.border}"{dashes}/>\n' + _texts([each.text], x + 24, y + 10.5, 12)
        )
        x += width
    return "".join(parts), (y - top + 22) if swatches else 0
