"""Images, honest and not."""

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from nottermost_chat.errors import Unavailable, UnsupportedFile
from nottermost_chat.files import ImageInfo, Images, inspect_image, make_thumbnail
from nottermost_chat.files.images import FRAMES_MAX

PIXELS_MAX = 1_000_000


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def plain(kind: str, size: tuple[int, int] = (30, 20), mode: str = "RGB") -> bytes:
    return encode(Image.new(mode, size), kind)


def animated(kind: str, frames: int = 3) -> bytes:
    pictures = [Image.new("RGB", (30, 20), (number * 40, 0, 0)) for number in range(frames)]
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + rows + chunk(b"IEND", b"")


def gif(frames: int, *, screen: tuple[int, int] = (1, 1), frame: tuple[int, int] = (1, 1)) -> bytes:
    """Frames of a few bytes each."""
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    palette = b"\x00\x00\x00\xff\xff\xff"
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + palette + picture * frames + b"\x3b"


def jpeg_claiming(width: int, height: int) -> bytes:
    content = plain("JPEG")
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


def webp_claiming(width: int, height: int) -> bytes:
    content = bytearray(animated("WEBP"))
    assert content[12:16] == b"VP8X"
    content[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


def oriented(orientation: int, kind: str = "JPEG") -> bytes:
    """A picture lying as the camera held it: its left half is red."""
    image = Image.new("RGB", (40, 20), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera maker"
    return encode(image, kind, exif=exif)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_images_are_described(tmp_path: Path, kind: str) -> None:
    """From bytes as from a file."""
    (tmp_path / "file").write_bytes(plain(kind))
    expected = ImageInfo(30, 20, 1, f"image/{kind.lower()}")
    assert inspect_image(plain(kind), PIXELS_MAX) == inspect_image(tmp_path / "file", PIXELS_MAX) == expected


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_frames_are_counted(kind: str) -> None:
    """Moving pictures in every format that has them."""
    assert inspect_image(animated(kind), PIXELS_MAX).frames == 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (40, 20), (5, 10)),
        (2, (40, 20), (35, 10)),
        (3, (40, 20), (35, 10)),
        (4, (40, 20), (5, 10)),
        (5, (20, 40), (10, 5)),
        (6, (20, 40), (10, 5)),
        (7, (20, 40), (10, 35)),
        (8, (20, 40), (10, 35)),
        (99, (40, 20), (5, 10)),
    ],
)
def test_pictures_are_shown_upright(
    kind: str, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    """The size is that of the picture as it is seen, and the thumbnail is turned."""
    info = inspect_image(oriented(orientation, kind), PIXELS_MAX)
    assert (info.width, info.height) == size
    thumbnail = Image.open(io.BytesIO(make_thumbnail(oriented(orientation, kind), PIXELS_MAX))).convert("RGB")
    assert thumbnail.size == size
    red, _, blue = thumbnail.getpixel(red_at)  # type: ignore[misc]
    assert red > 200 > 50 > blue


@pytest.mark.parametrize(
    ("content", "kind", "size"),
    [
        (plain("JPEG", (1000, 500)), "JPEG", (480, 240)),
        (plain("PNG", (10, 900)), "JPEG", (5, 480)),
        (plain("PNG", (900, 1)), "JPEG", (480, 1)),
        (plain("PNG", (20, 20)), "JPEG", (20, 20)),
        (plain("PNG", (600, 600), "RGBA"), "PNG", (480, 480)),
        (plain("PNG", (600, 600), "LA"), "PNG", (480, 480)),
        (plain("PNG", (600, 600), "1"), "JPEG", (480, 480)),
        (plain("PNG", (600, 600), "P"), "JPEG", (480, 480)),
        (plain("JPEG", (600, 600), "CMYK"), "JPEG", (480, 480)),
        (plain("JPEG", (600, 600), "L"), "JPEG", (480, 480)),
        (animated("GIF"), "JPEG", (30, 20)),
        (animated("WEBP"), "JPEG", (30, 20)),
    ],
)
def test_thumbnails(content: bytes, kind: str, size: tuple[int, int]) -> None:
    """Small, in proportion, never enlarged; transparency is kept."""
    thumbnail = Image.open(io.BytesIO(make_thumbnail(content, PIXELS_MAX)))
    assert (thumbnail.format, thumbnail.size) == (kind, size)


def test_sixteen_bits_become_eight() -> None:
    """Grey of a scan is not burnt to white."""
    image = Image.new("I;16", (10, 10), 128 * 256)
    thumbnail = Image.open(io.BytesIO(make_thumbnail(encode(image, "PNG"), PIXELS_MAX)))
    assert abs(thumbnail.convert("L").getpixel((5, 5)) - 128) < 3  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_thumbnails_hold_nothing_but_pixels(mode: str) -> None:
    """No camera, place, comment or profile of the original."""
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "Camera maker")
    content = encode(Image.new(mode, (30, 20)), "PNG", exif=exif, pnginfo=texts, icc_profile=b"Camera maker" * 20)
    assert b"Camera maker" in content
    small = make_thumbnail(content, PIXELS_MAX)
    assert b"maker" not in small
    thumbnail = Image.open(io.BytesIO(small))
    thumbnail.load()
    assert not thumbnail.getexif()
    assert not {"icc_profile", "comment", "Comment", "exif"} & thumbnail.info.keys()


ATTACKS = {
    "a PNG that claims gigapixels": png(60_000, 60_000),
    "a PNG that claims a bit too much": png(1001, 1000),
    "a PNG between our limit and Pillow's": png(10_000, 10_000),
    "a JPEG that claims gigapixels": jpeg_claiming(65_500, 65_500),
    "a WebP that claims gigapixels": webp_claiming(16_000, 16_000),
    "a GIF that claims gigapixels": gif(1, screen=(65_000, 65_000)),
    "a GIF whose first frame does": gif(1, frame=(65_000, 65_000)),
    "a GIF whose first frame is a bit too large": gif(1, frame=(1001, 1000)),
    "a GIF with thousands of frames": gif(FRAMES_MAX + 1),
    "a PNG with a million frames": png(10, 10, chunk(b"acTL", struct.pack(">II", 1_000_000, 0))),
    "a PNG with a text that unpacks to a gigabyte": png(
        10, 10, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    ),
    "a PNG with many texts": png(10, 10, *[chunk(b"zTXt", b"C\0\0" + zlib.compress(b"x" * 1_000_000))] * 100),
    "a JPEG with a thousand scans": plain("JPEG")[:-2] + b"\xff\xda" * 1000 + b"\xff\xd9",
    "a truncated JPEG": encode(Image.effect_noise((200, 200), 50), "JPEG")[:-2000],
    "a truncated PNG": encode(Image.effect_noise((200, 200), 50), "PNG")[:-2000],
    "a truncated GIF": encode(Image.effect_noise((200, 200), 50), "GIF")[:2000],
    "a truncated WebP": plain("WEBP")[:-10],
    "a PNG that is only its magic": b"\x89PNG\r\n\x1a\n",
    "a GIF that is HTML": b"GIF89a/*<html><script>alert(1)</script></html>*/=1;",
    "a JPEG that is a script": b"\xff\xd8\xff/*" + b"*/=alert(1)//" * 50,
    "a .png that is HTML": b"<!DOCTYPE html><script>alert(1)</script>",
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "nothing": b"",
}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attacks_are_refused(name: str) -> None:
    """With one error and a sentence, quickly, whichever function meets them."""
    with pytest.raises(UnsupportedFile, match=r"^the (image|file) .{20}"):
        inspect_image(ATTACKS[name], PIXELS_MAX)
    if "frames" not in name:  # a thumbnail is made of the first one only
        with pytest.raises(UnsupportedFile):
            make_thumbnail(ATTACKS[name], PIXELS_MAX)


def test_many_frames_are_fine_up_to_the_limit() -> None:
    """The limit is where it says."""
    assert inspect_image(gif(FRAMES_MAX), PIXELS_MAX).frames == FRAMES_MAX


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so, and goes on
def test_damaged_metadata_does_not_matter() -> None:
    """The picture itself is fine."""
    content = plain("JPEG")
    rubbish = b"Exif\0\0II*\0\xff\xff\xff\xff"
    damaged = content[:2] + b"\xff\xe1" + struct.pack(">H", len(rubbish) + 2) + rubbish + content[2:]
    assert inspect_image(damaged, PIXELS_MAX).width == 30


SEEDS = [oriented(6), oriented(8, "PNG"), oriented(3, "WEBP"), animated("GIF"), animated("PNG"), animated("WEBP")]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0.2, 1),
)
def test_damage_has_one_error(seed: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    """Whatever bytes are changed or missing: it decodes, or it is refused; nothing else comes out."""
    content = bytearray(seed)
    for place, value in changes:
        content[int(place * len(content))] = value
    damaged = bytes(content[: max(1, int(len(content) * kept))])
    for work in (inspect_image, make_thumbnail):
        try:
            work(damaged, PIXELS_MAX)
        except UnsupportedFile:
            pass


@pytest.fixture
async def images() -> AsyncIterator[Images]:
    pool = Images(PIXELS_MAX)
    yield pool
    await pool.close()


async def test_images_in_threads(images: Images) -> None:
    """The same answers and the same errors, for many at once."""
    inspected = await asyncio.gather(*(images.inspect(plain("PNG")) for _ in range(20)))
    assert inspected == [ImageInfo(30, 20, 1, "image/png")] * 20
    assert (await images.thumbnail(plain("PNG"))).startswith(b"\xff\xd8")
    with pytest.raises(UnsupportedFile):
        await images.inspect(b"no image")


async def test_too_many_at_once() -> None:
    """What does not fit is refused at once, and there is room again afterwards."""
    pool = Images(PIXELS_MAX, workers=1, waiting_max=2)
    content = plain("PNG", (1000, 1000))
    results = await asyncio.gather(*(pool.thumbnail(content) for _ in range(5)), return_exceptions=True)
    assert [isinstance(result, Unavailable) for result in results] == [False] * 3 + [True] * 2
    assert (await pool.inspect(content)).width == 1000
    await pool.close()


async def test_too_slow() -> None:
    """The caller gets an answer in time; the thread is free when its decoder ends."""
    pool = Images(PIXELS_MAX, workers=1, waiting_max=0, timeout_s=0.001)
    with pytest.raises(Unavailable, match=r"0\.001 s"):
        await pool.thumbnail(plain("PNG", (1000, 1000)))
    with pytest.raises(Unavailable, match="waiting"):
        await pool.thumbnail(plain("PNG"))
    await pool.close()
