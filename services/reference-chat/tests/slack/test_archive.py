"""What no archive can do to us, and what a good one may look like."""

import os
import random
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_chat.slack import (
    ArchiveLimits,
    DamagedExport,
    NotAnExport,
    SlackExportError,
    UnsafeExport,
    open_export,
)
from nottermost_chat.slack.archive import open_archive
from nottermost_chat.testing.slack_export import make_full_export, message, write_export, write_link

DAY: dict[str, object] = {"general/2021-03-04.json": [message(1, "U1", "hello")]}


def paths(path: Path) -> tuple[str, ...]:
    with open_archive(path) as archive:
        return tuple(archive.paths)


def refuse(path: Path, error: type[SlackExportError], match: str, **limits: int) -> None:
    with pytest.raises(error, match=match), open_export(path, ArchiveLimits(**limits)):
        pytest.fail("opened")


@pytest.mark.parametrize(
    "name", ["/etc/x.json", "../x.json", "a/../../x.json", "C:/x.json", "C:\\x.json", "..\\x.json"]
)
def test_paths_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    """Absolute paths and "..", with either slash, refuse the whole export."""
    refuse(write_export(tmp_path / "e.zip", {**DAY, name: []}), UnsafeExport, "leads out")


def test_links_are_refused(tmp_path: Path) -> None:
    """A symbolic link, even one that points inside."""
    refuse(write_link(tmp_path / "e.zip", "general/2021-03-04.json", "users.json"), UnsafeExport, "link")


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({"entries_max": 1}, "2 entries"),
        ({"unpacked_bytes_max": 1000}, "unpacks to"),
        ({"file_bytes_max": 1000}, "a file of"),
        ({"ratio_from_bytes": 1000}, "times its size"),
    ],
)
def test_too_much_is_refused(tmp_path: Path, limits: dict[str, int], match: str) -> None:
    """Each limit by itself, told from the directory, before anything is unpacked."""
    path = write_export(tmp_path / "e.zip", {**DAY, "general/zeros.json": b"0" * 1_000_000})
    refuse(path, UnsafeExport, match, **limits)


def test_uploads_may_be_large(tmp_path: Path) -> None:
    """The limit of one file is for those that are read into memory: other exporters add what people uploaded."""
    path = write_export(tmp_path / "e.zip", {**DAY, "general/attachments/film.mp4": os.urandom(50_000)})
    with open_export(path, ArchiveLimits(file_bytes_max=1000)) as export:
        assert (export.entries_total, export.ignored) == (1, ("general/attachments/film.mp4",))


def test_a_bomb_is_refused_by_default(tmp_path: Path) -> None:
    """What unpacks to a thousand times its size is no export."""
    refuse(write_export(tmp_path / "e.zip", {**DAY, "general/zeros.json": b" " * 20_000_000}), UnsafeExport, "times")


def test_repetitive_exports_pass(tmp_path: Path) -> None:
    """A small export that packs very well is still one."""
    path = write_export(
        tmp_path / "e.zip", {"general/2021-03-04.json": [message(i, "U1", "x" * 3000) for i in range(1000)]}
    )
    with open_export(path) as export:
        assert export.entries_total == 1000


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    """Text, nothing, a folder, a missing file, and a zip of something else."""
    text, empty = tmp_path / "text.zip", tmp_path / "empty.zip"
    text.write_text("hello")
    empty.write_bytes(b"")
    for path in (text, empty):
        refuse(path, NotAnExport, "not a zip")
    refuse(tmp_path, NotAnExport, "cannot be opened")
    refuse(tmp_path / "missing.zip", NotAnExport, "cannot be opened: No such file")
    os.mkfifo(tmp_path / "pipe.zip")
    refuse(tmp_path / "pipe.zip", NotAnExport, "cannot be opened: it is not a file")
    refuse(
        write_export(tmp_path / "other.zip", {"photo.jpg": b"x", "notes.json": []}),
        NotAnExport,
        "lists no conversation",
    )


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    """Half a download has no directory."""
    path = write_export(tmp_path / "e.zip", DAY)
    path.write_bytes(path.read_bytes()[:-30])
    refuse(path, DamagedExport, "download the export again")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["general/2021-03-04.json", "general/attachments/photo.jpg", "canvases.json"])
def test_a_wrong_checksum_is_refused(tmp_path: Path, method: int, name: str) -> None:
    """One flipped bit, be it in a file that is not used, refuses the export before anything of it is."""
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("channels.json", '[{"id": "C1"}]')
        archive.writestr(name, "[]" + " " * 100 + "hello")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[1]
    data[info.header_offset + 30 + len(info.filename) + 2] ^= 0xFF
    path.write_bytes(data)
    refuse(path, DamagedExport, "is damaged")


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    """Many directory entries for the same bytes: the way to a bomb without a high ratio each."""
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("general/2021-03-04.json", "[]" + " " * 5000)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    directory = data[start : data.index(b"PK\x05\x06", start)]
    end = bytearray(data[start + len(directory) :])
    struct.pack_into("<HHII", end, 8, 9, 9, len(directory) * 9, start)
    path.write_bytes(data[:start] + directory * 9 + end)
    refuse(path, UnsafeExport, "overlap")


def test_encrypted_and_exotic_entries_are_refused(tmp_path: Path) -> None:
    """A password, or a method that unpacks without a bound."""
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("general/2021-03-04.json", "[]")
    refuse(path, UnsafeExport, "method 12")
    data = bytearray(write_export(path, DAY).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refuse(path, UnsafeExport, "encrypted")


@settings(max_examples=300, deadline=None)
@given(seed=st.randoms(use_true_random=False))
def test_flipped_bytes_never_escape(tmp_path_factory: pytest.TempPathFactory, seed: random.Random) -> None:
    """Whatever is broken, there is one kind of error, or a readable export."""
    path = make_full_export(tmp_path_factory.mktemp("fuzz") / "e.zip").path
    data = bytearray(path.read_bytes())
    tail = seed.random() < 0.7  # mostly in the directory, which the parser trusts most
    for _ in range(seed.randint(1, 4)):
        data[seed.randrange(len(data) - 1500 if tail else 0, len(data))] = seed.randrange(256)
    path.write_bytes(data)
    try:
        with open_export(path) as export:
            for conversation in export.conversations:
                export.read(conversation)
    except SlackExportError:
        pass


def test_names_in_unmarked_utf8_are_repaired(tmp_path: Path) -> None:
    """Archives made on some systems hold UTF-8 names and do not say so."""
    path = write_export(tmp_path / "e.zip", {"büro/2021-03-04.json": []})
    data = path.read_bytes().replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00")  # flag bit 11 off, method deflate
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() != ["büro/2021-03-04.json"]
    assert paths(path) == ("büro/2021-03-04.json",)


def test_a_path_that_comes_twice_is_read_once(tmp_path: Path) -> None:
    """As when the archive is unpacked, the last one counts."""
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("general/2021-03-04.json", "[1, 2]")
        archive.writestr("general//2021-03-04.json", "[3]")
    with open_export(path) as export:
        assert export.entries_total == 1
