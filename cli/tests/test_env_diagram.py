"""`nottermost env diagram`: what it writes, what it says is stale, and what it needs."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_platform.diagrams import gallery
from nottermost_platform.diagrams.architecture import load_model

NAMES = {"overview", "network", "services", "uses", "reachability", "stack-chat", "stack-data"}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process."""
    return make_call(monkeypatch, capfd)


def test_committed_pictures_are_up_to_date(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check` is content with production's, prints nothing, and needs no Graphviz."""
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("diagram", "prod", "--check")
    assert (result.code, result.out, result.err) == (ExitCode.DONE, "", "")


def test_pictures_are_written_checked_and_stale(call: Call, tmp_path: Path) -> None:
    """Paths on stdout; a changed, a missing and a strange one each get a sentence, and exit 3."""
    folder = tmp_path / "pictures"
    written = call("diagram", "pr-0", "--out", str(folder))
    assert (written.code, written.err) == (ExitCode.DONE, "")
    paths = [Path(line) for line in written.out.splitlines()]
    assert {path.stem for path in paths} >= NAMES
    assert all(path.read_bytes().startswith(b"<svg ") for path in paths)
    assert all(f"]({path.name})" in (folder / "README.md").read_text() for path in paths)
    assert call("diagram", "pr-0", "--out", str(folder), "--check").code == ExitCode.DONE

    (folder / "uses.svg").unlink()
    shutil.copy(folder / "network.svg", folder / "services.svg")
    shutil.copy(folder / "network.svg", folder / "stack-gone.svg")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    result = call("diagram", "pr-0", "--out", str(folder), "--check")
    assert (result.code, result.out) == (ExitCode.SAYS_NO, "")
    assert result.err.splitlines() == [
        f"nottermost: pictures/{problem}: run `nottermost env diagram pr-0`"
        for problem in (
            "services.svg is stale or missing",
            "uses.svg is stale or missing",
            "stack-gone.svg is of nothing that is there any more",
        )
    ]
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_one_picture_alone(call: Call, tmp_path: Path) -> None:
    """Nothing else is written, and JSON is one object."""
    result = call("diagram", "pr-0", "--out", str(tmp_path), "--only", "network", "--json")
    assert result.code == ExitCode.DONE
    path = str(tmp_path / "network.svg")
    assert json.loads(result.out) == {"env": "pr-0", "untrue": [], "stale": [], "written": [path]}
    assert [each.name for each in tmp_path.iterdir()] == ["network.svg"]


def test_a_name_that_no_picture_has_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    """With the names that there are."""
    result = call("diagram", "pr-0", "--out", str(tmp_path), "--only", "net")
    assert result.code == ExitCode.USAGE
    assert result.err.startswith("nottermost: no picture is called net; there are overview, network, ")


def test_other_environments_need_a_folder(call: Call) -> None:
    """Only production's pictures are kept."""
    result = call("diagram", "dev")
    assert result.code == ExitCode.USAGE
    assert result.err == "nottermost: pictures of dev are kept nowhere: say where with --out DIR\n"


def test_without_graphviz_it_says_what_to_install(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and writing nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("diagram", "prod", "--out", str(tmp_path / "new"))
    assert result.code == ExitCode.FAILED
    assert result.err == "nottermost: pictures need Graphviz: sudo apt-get install graphviz fonts-liberation\n"
    assert not (tmp_path / "new").exists()


def test_a_model_that_says_what_is_not_so_is_not_drawn(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence and exit 3, and nothing written."""
    model = load_model()
    wrong = msgspec.structs.replace(model.elements["plan"], code="ingest/plan.py::make_plans")
    elements = {**model.elements, "plan": wrong}
    monkeypatch.setattr(gallery, "model_of", lambda _env: msgspec.structs.replace(model, elements=elements))
    result = call("diagram", "prod", "--out", str(tmp_path / "new"))
    assert (result.code, result.out) == (ExitCode.SAYS_NO, "")
    assert result.err == "nottermost: architecture.yaml: element plan: ingest/plan.py has no make_plans\n"
    assert not (tmp_path / "new").exists()
