"""However an export is packed, its conversations are found, and never two taken for one."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.slack import NotAnExport, open_export
from nottermost_chat.slack.layout import lay_out
from nottermost_chat.testing.slack_export import message, write_export

DAY = "2021-03-04.json"
LISTS = ["users.json", "channels.json"]


@pytest.mark.parametrize("top", ["", "export/", "my/export/", "a/b/c/d/"])
@pytest.mark.parametrize("beside", [[], ["readme.txt", "photos/cat.jpg"]])
def test_the_top_is_where_the_lists_and_the_folders_are(top: str, beside: list[str]) -> None:
    """People zip the folder instead of its content, and put other files beside it."""
    inside = [*LISTS, f"general/{DAY}", f"random/{DAY}", "canvases.json"]
    layout = lay_out([*beside, *(top + path for path in inside)])
    assert (layout.top, set(layout.folders)) == (top, {"general", "random"})
    assert layout.lists["channels.json"] == (f"{top}channels.json",)
    assert set(layout.ignored) == {*beside, f"{top}canvases.json"}


@pytest.mark.parametrize(
    ("paths", "folders"),
    [
        # by kind
        (["channels/general/" + DAY, "dms/D1/" + DAY, *LISTS], {"channels/general", "dms/D1"}),
        (["channels/a/" + DAY, "channels/b/" + DAY, "channels/index.json", *LISTS], {"channels", "channels/a", "channels/b"}),
        (["channels/a/" + DAY, "channels/b/" + DAY, "channels/" + DAY, *LISTS], {"channels", "channels/a", "channels/b"}),
        (["channels/channels.json", "dms/dms.json", "channels/a/1.json", "users.json"], {"channels/a"}),
        # by time
        (["general/2021/" + DAY, "general/2022/01/01.json", *LISTS], {"general"}),
        (["general/" + DAY, "general/old/1.json", *LISTS], {"general"}),
        (["channels/2021/" + DAY, "channels/2022/" + DAY, *LISTS], {"channels/2021", "channels/2022"}),
        # beside the lists, and without any
        (["export/users.json", "export/" + DAY, "export/general/" + DAY], {"export", "export/general"}),
        ([DAY, "users.json", "general/" + DAY], {"general"}),
        (["general/" + DAY], {"general"}),
        (["export/general/1.json", "export/random/1.json"], {"general", "random"}),
        # what people uploaded
        (["D1/" + DAY, "D1/attachments/" + DAY, "D1/files/users.json", "__uploads/F1/channels.json"], {"D1"}),
        (["files/" + DAY, "channels/files/" + DAY, "users.json"], {"files", "channels/files"}),
    ],
)  # fmt: skip
def test_folders_of_conversations(paths: list[str], folders: set[str]) -> None:
    """Sorted by kind or by time, with uploads, without lists."""
    assert set(lay_out(paths).folders) == folders


PATHS = st.builds(
    lambda folders, name: "/".join([*folders, name]),
    st.lists(st.sampled_from(["a", "b", "channels", "dms", "files", "general"]), min_size=1, max_size=3),
    st.sampled_from([DAY, *LISTS, "x.json"]),
)


@given(st.lists(PATHS, unique=True))
def test_two_folders_with_days_are_two_conversations(paths: list[str]) -> None:
    """Wherever they are: taken for one, the writers of each would see the other. And every path is somewhere."""
    layout = lay_out(paths)
    for inside in layout.folders.values():
        assert len({path.rpartition("/")[0] for path in inside if path.endswith(DAY)}) <= 1
    placed = [
        *layout.ignored,
        *(path for group in (layout.folders, layout.lists) for few in group.values() for path in few),
    ]
    assert sorted(placed) == sorted(paths)


def test_what_systems_add_does_not_count(tmp_path: Path) -> None:
    """Neither in the top folder, nor beside it; a path may begin with "./"."""
    files = {
        "users.json": [],
        f"general/{DAY}": [message(1, "U1", "hello")],
        ".DS_Store": b"x",
        f"general/._{DAY}": b"x",
    }
    path = write_export(tmp_path / "e.zip", files, folder="./")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._users.json", "x")
        archive.writestr("empty/", "")
    with open_export(path) as export:
        assert ([each.name for each in export.conversations], export.ignored) == (["general"], ())


def test_several_exports_in_one_archive_are_refused(tmp_path: Path) -> None:
    """Two teams never become one, as with the workspaces of an Enterprise Grid."""
    files: dict[str, object] = {"channels.json": [], "teams/a/channels.json": [], f"teams/a/general/{DAY}": []}
    path = write_export(tmp_path / "e.zip", files)
    with pytest.raises(NotAnExport, match=r"channels.json in several places \(the top, teams/a/\)"), open_export(path):
        pytest.fail("opened")


def test_groups_of_folders_tell_who_may_see(tmp_path: Path) -> None:
    """A folder among private ones is never a public channel's, whatever it is called; in doubt it is nobody's."""
    groups = [{"id": "G1", "name": "general", "members": ["U1"]}]
    twins = [{"id": f"G{number}", "name": "twin", "members": [f"U{number}"]} for number in (2, 3)]
    channels = [{"id": f"C{number}", "name": name} for number, name in enumerate(["general", "twin", "secret"])]
    texts = ["channels/general", "private_channels/general", "private_channels/secret", "channels/twin"]
    files: dict[str, object] = {f"{folder}/{DAY}": [message(1, "U9", folder)] for folder in texts}
    lists: dict[str, object] = {"channels.json": channels, "groups.json": [*groups, *twins]}
    with open_export(write_export(tmp_path / "e.zip", {**lists, **files})) as export:
        found = {
            str(record.text): (each.id, each.is_private)  # type: ignore[union-attr]
            for each in export.conversations
            for record in export.read(each).records
        }
    assert found == {
        "channels/general": ("C0", False),
        "private_channels/general": ("G1", True),
        "private_channels/secret": ("folder:private_channels/secret", True),
        "channels/twin": ("folder:channels/twin", True),
    }
