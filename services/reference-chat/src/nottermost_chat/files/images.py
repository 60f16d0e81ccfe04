"""Images: whether a file really is one, how large, and a small picture of it.

Decoding a stranger's file is the most dangerous thing the chat does, so every cost is bounded
before it is paid: pixels from the header, frames and scans by counting them, threads by a pool.
"""

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from PIL import Image

from nottermost_chat.errors import ChatError, Unavailable, UnsupportedFile
from nottermost_chat.files.sniff import inline_allowed, sniff_content_type

THUMBNAIL_PIXELS: Final = 480  # width and height at most: twice what the page shows, for sharp screens
FRAMES_MAX: Final = 1000  # 100 s at ten a second; thousands keep every reader's browser busy
SCANS_MAX: Final = 100  # of a JPEG; encoders write about ten, and each one passes over the whole picture

_JPEG_QUALITY: Final = 82
_JPEG_SCAN: Final = b"\xff\xda"  # never part of the compressed data, which writes ff as ff 00
_ORIENTATION: Final = 0x0112  # EXIF tag
_UPRIGHT: Final = {  # EXIF orientation to what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

T = TypeVar("T")


class ImageInfo(msgspec.Struct, frozen=True):
    """An image that decodes; width and height as it is shown, upright."""

    width: int
    height: int
    frames: int
    content_type: str


def inspect_image(source: Path | bytes, pixels_max: int) -> ImageInfo:
    """Decode the image's first frame and describe it. Blocks: see `Images`.

    Raises: UnsupportedFile when it is no PNG, JPEG, GIF or WebP, does not decode, or is too large.
    """
    data = _read(source)
    with _open_image(data, pixels_max) as image:
        frames = _count_frames(data, image)
        if frames > FRAMES_MAX:
            raise UnsupportedFile(f"the image has more than {FRAMES_MAX} frames: send it as a video")
        orientation = _read_orientation(image)
        image.load()
        _check_pixels(*image.size, pixels_max)  # the first frame of a GIF may be larger than its header says
        width, height = image.size if orientation < 5 else image.size[::-1]
        return ImageInfo(width, height, frames, sniff_content_type(data))


def make_thumbnail(source: Path | bytes, pixels_max: int) -> bytes:
    """The first frame, upright, at most 480 x 480: a JPEG, or a PNG where something is transparent. Blocks.

    Nothing but pixels is kept: no place, camera, comment or colour profile.
    Raises: UnsupportedFile, as `inspect_image`.
    """
    with _open_image(_read(source), pixels_max) as image:
        orientation = _read_orientation(image)
        image.draft("RGB", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))  # a JPEG then decodes at a fraction of its size
        image.load()
        _check_pixels(*image.size, pixels_max)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        small = _to_eight_bits(image).convert(mode)
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), reducing_gap=2.0)
        if orientation in _UPRIGHT:
            small = small.transpose(_UPRIGHT[orientation])
        small.info.clear()
        output = io.BytesIO()
        if mode == "RGBA":
            small.save(output, "PNG")
        else:
            small.save(output, "JPEG", quality=_JPEG_QUALITY)
        return output.getvalue()


class Images:
    """The same for coroutines: a few at a time, in threads, each for a limited time.

    A decoder cannot be stopped: one that takes too long keeps its thread until it ends, which the
    limits on pixels, frames and scans keep to seconds.
    """

    def __init__(self, pixels_max: int, *, workers: int = 2, waiting_max: int = 32, timeout_s: float = 20.0) -> None:
        """`workers`: each may hold an image of `pixels_max` twice at 4 bytes a pixel: 0.3 GB for 40 million."""
        self._pixels_max, self._timeout_s = pixels_max, timeout_s
        self._places = threading.BoundedSemaphore(workers + waiting_max)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="images")

    async def inspect(self, source: Path | bytes) -> ImageInfo:
        """Raises: UnsupportedFile; Unavailable when too many wait or it takes too long."""
        return await self._run(inspect_image, source)

    async def thumbnail(self, source: Path | bytes) -> bytes:
        """Raises: UnsupportedFile; Unavailable when too many wait or it takes too long."""
        return await self._run(make_thumbnail, source)

    async def close(self) -> None:
        """Wait for what is running; what waits is dropped."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run(self, work: Callable[[Path | bytes, int], T], source: Path | bytes) -> T:
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many images are waiting to be read: try again later")
        job = self._threads.submit(work, source, self._pixels_max)
        job.add_done_callback(lambda _: self._places.release())  # when its thread ends, not when the caller gives up
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise Unavailable(f"the image was not read within {self._timeout_s:g} s: try again later") from error


@contextmanager
def _open_image(data: bytes, pixels_max: int) -> Iterator[Image.Image]:
    """The image with its header read; whatever goes wrong inside is told as UnsupportedFile."""
    content_type = sniff_content_type(data)
    if not inline_allowed(content_type):
        raise UnsupportedFile(f"the file is {content_type}, expected a PNG, JPEG, GIF or WebP image")
    if content_type == "image/jpeg" and data.count(_JPEG_SCAN) > SCANS_MAX:
        raise UnsupportedFile(f"the image has more than {SCANS_MAX} scans: save it again with an image program")
    name = content_type.removeprefix("image/").upper()
    try:
        with Image.open(io.BytesIO(data), formats=(name,)) as image:
            _check_pixels(*image.size, pixels_max)
            yield image
    except ChatError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnsupportedFile(f"the image has more than {pixels_max} pixels: make it smaller") from error
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise UnsupportedFile(
            f"the file begins like a {name} image but cannot be read as one ({type(error).__name__}):"
            " check that it is complete"
        ) from error


def _read(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _check_pixels(width: int, height: int, pixels_max: int) -> None:
    if width * height > pixels_max:
        raise UnsupportedFile(f"the image has {width} x {height} pixels, the limit is {pixels_max} in all")


def _read_orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF; the picture itself may be fine
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _count_frames(data: bytes, image: Image.Image) -> int:
    match image.format:
        case "GIF":
            return _count_gif_frames(data)
        case "PNG" | "WEBP":
            return int(getattr(image, "n_frames", 1))  # said by the header
        case _:
            return 1


def _count_gif_frames(data: bytes) -> int:
    """Walk the blocks without decoding them, until there are too many."""
    frames, place = 0, 13 + _palette_bytes(data[10])
    while place + 10 < len(data) and frames <= FRAMES_MAX:
        match data[place]:
            case 0x2C:  # a frame: descriptor, perhaps a palette, code size, then data
                frames += 1
                place += 11 + _palette_bytes(data[place + 9])
            case 0x21:  # an extension
                place += 2
            case _:  # the end, or rubbish, where browsers stop too
                break
        while place < len(data) and (length := data[place]):
            place += 1 + length
        place += 1
    return max(frames, 1)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _to_eight_bits(image: Image.Image) -> Image.Image:
    return image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I;16") else image
