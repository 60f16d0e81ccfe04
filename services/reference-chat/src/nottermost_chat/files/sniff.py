"""What a file is, told from its first bytes: never from its name or what the uploader says it is.

The types are a closed table. Whatever a browser could run (HTML, SVG, XML, scripts) is served as
`application/octet-stream` or `text/plain`, always as a download.
"""

import codecs
import re
from typing import Final

SNIFF_BYTES: Final = 4096  # how many of the first bytes are looked at

UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"

# What pages show in place: formats that every browser draws and that cannot hold scripts.
_INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_MAGIC: Final = (  # (offset, bytes, type); the first that fits
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x05\x06", "application/zip"),  # an empty one
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {  # of the ISO base media container
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_ZIPPED: Final = (  # by the name of an entry, or what its `mimetype` entry says
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", "application/vnd.oasis.opendocument.presentation"),
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
)
_MARKUP = re.compile(rb"<(?:!doctype|!--|\?xml|html|head|body|svg|script|iframe|style|math)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # escape stays: logs are coloured with it
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def sniff_content_type(head: bytes) -> str:
    """The type of a file that begins with `head`, its first `SNIFF_BYTES` bytes (or all, when it has fewer)."""
    head = head[:SNIFF_BYTES]
    for offset, magic, content_type in _MAGIC:
        if head.startswith(magic, offset):
            return content_type
    return _sniff_container(head) or _sniff_bitmap_or_sound(head) or _sniff_text(head)


def inline_allowed(content_type: str) -> bool:
    """Whether a page may show it in place, once it was found to decode."""
    return content_type in _INLINE


def _sniff_container(head: bytes) -> str | None:
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"PK\x03\x04"):
        return next((content_type for mark, content_type in _ZIPPED if mark in head), "application/zip")
    return None


def _sniff_bitmap_or_sound(head: bytes) -> str | None:
    """Those whose magic is only two bytes: something more has to fit."""
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "image/bmp"
    is_mpeg_audio = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # frame sync, layer 3
    if is_mpeg_audio and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C:  # a bit rate and a sample rate
        return "audio/mpeg"
    return None


def _sniff_text(head: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    try:
        # The last character may be cut, unless this is the whole file.
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=len(head) < SNIFF_BYTES)
    except UnicodeDecodeError:
        return UNKNOWN
    if _CONTROL.search(text) or _MARKUP.search(text.encode()):
        return UNKNOWN
    return TEXT
