"""What files are taken for."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nottermost_chat.files import inline_allowed, sniff_content_type


def zipped(*names: str, content: bytes = b"x") -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return output.getvalue()


def image(kind: str) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (3, 2)).save(output, kind)
    return output.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (image("PNG"), "image/png"),
        (image("JPEG"), "image/jpeg"),
        (image("GIF"), "image/gif"),
        (image("WEBP"), "image/webp"),
        (image("BMP"), "image/bmp"),
        (image("TIFF"), "image/tiff"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypisom\0\0\2\0", "video/mp4"),
        (b"\0\0\0\x18ftypM4A \0\0\2\0", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"ID3\x04\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
        (b"OggS\0\2", "audio/ogg"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"%PDF-1.7\n", "application/pdf"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (zipped("a.txt"), "application/zip"),
        (zipped(), "application/zip"),
        (
            zipped("[Content_Types].xml", "word/document.xml"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (zipped("bomb", content=bytes(10_000_000)), "application/zip"),
        ("Grüße\n\tan alle \x1b[1m".encode(), "text/plain"),
        ("\ufeffmit BOM".encode(), "text/plain"),
        ("zwei Bytes".encode("utf-16"), "text/plain"),
        ("ü".encode() * 4000, "text/plain"),
        (b"x" + "ü".encode() * 4000, "text/plain"),
        (b"alert(1)", "text/plain"),
        (b"", "text/plain"),
        (b"<!DOCTYPE html><p>hi", "application/octet-stream"),
        (b"  \n<html>", "application/octet-stream"),
        (b"hello <ScRiPt>alert(1)</script>", "application/octet-stream"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "application/octet-stream"),
        (b"\xef\xbb\xbf<svg onload=alert(1)>", "application/octet-stream"),
        ("<html>".encode("utf-16"), "application/octet-stream"),
        (b"MZ\x90\0\3", "application/octet-stream"),
        (b"caf\xe9", "application/octet-stream"),
        (b"BM is short for something", "text/plain"),
    ],
)
def test_types(content: bytes, expected: str) -> None:
    """By what is inside. What browsers could run is nothing they would run."""
    assert sniff_content_type(content) == expected


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_only_images_are_shown_in_place(content: bytes) -> None:
    """Whatever comes, an inline type begins with the magic of its format; and no type is one that runs."""
    content_type = sniff_content_type(content)
    if inline_allowed(content_type):
        assert content.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF"))
    assert not any(word in content_type for word in ("html", "svg", "xml;", "script"))
