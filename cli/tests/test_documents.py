"""The documents are true where that can be checked: links, commands, code, lock files."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@cache
def find_documents() -> tuple[Path, ...]:
    """Every Markdown file of the project; hidden folders such as .venv are not part of it."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return tuple(sorted(path for path in found if not any(part.startswith(".") for part in path.parts)))


def parse_fences(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for name, body in FENCE.findall(text) if name == language]


def parse_links(text: str) -> list[str]:
    """Targets of links and pictures that point into the project, outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return [target for target in LINK.findall(prose) if not re.match(r"[a-z]+:", target)]


def parse_anchors(text: str) -> set[str]:
    """What a `#fragment` may name: headings in lower case, without punctuation, spaces as hyphens; and named places."""
    headings = HEADING.findall(FENCE.sub("", text))
    named = set(re.findall(r'<a id="([^"]+)">', text))
    return named | {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def parse_targets(makefile: str) -> set[str]:
    """The targets that the Makefile declares for people."""
    return {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE) for name in line.split()}


def parse_make_calls(block: str) -> list[str]:
    """The targets that a shell block asks `make` for."""
    lines = (line.split("#")[0].split() for line in block.splitlines())
    words = (word for line in lines if line[:1] == ["make"] for word in line[1:])
    return [word for word in words if "=" not in word and not word.startswith("-")]


@pytest.mark.parametrize("document", find_documents(), ids=str)
def test_links_resolve(document: Path) -> None:
    """Every relative link leads to a file, and every fragment to a heading of it."""
    text = (ROOT / document).read_text(encoding="utf-8")
    broken = []
    for target in parse_links(text):
        path, _, fragment = unquote(target).partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists():
            broken.append(target)
            continue
        anchors = {""} | (parse_anchors(file.read_text(encoding="utf-8")) if file.suffix == ".md" else set())
        if fragment not in anchors:
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", find_documents(), ids=str)
def test_python_blocks_compile(document: Path) -> None:
    """What is shown as Python is Python."""
    for block in parse_fences((ROOT / document).read_text(encoding="utf-8"), "python"):
        compile(block, str(document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_documents_name_existing_make_targets() -> None:
    """A command that a reader pastes exists."""
    targets = parse_targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    called = {
        (str(document), name)
        for document in find_documents()
        for block in parse_fences((ROOT / document).read_text(encoding="utf-8"), "sh")
        for name in parse_make_calls(block)
    }
    assert {name for document, name in called if document == "README.md"} >= {"run", "test"}
    assert sorted((document, name) for document, name in called if name not in targets) == []


def test_make_help_lists_every_target() -> None:
    """`make help` shows all there is to learn."""
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == parse_targets((ROOT / "Makefile").read_text(encoding="utf-8"))


def test_every_decision_is_in_the_index() -> None:
    """The index of decisions and the folder agree, numbers without gaps."""
    folder = ROOT / "docs" / "adr"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    assert parse_links((folder / "README.md").read_text(encoding="utf-8")) == files


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_name_no_index_and_no_path(lock: Path) -> None:
    """A lock pins and hashes every package, and says nothing about where it was made."""
    text = lock.read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert options == []
    assert re.findall(r"\S*(?:://|file:|(?<![\w.])/[a-z]+/)\S*", text) == []
    requirements = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    assert requirements
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []


def test_readme_tells_the_size_of_the_run_set() -> None:
    """The number of wheels in the README is the number that the lock installs on Linux."""
    lock = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    pinned = [line for line in lock.splitlines() if re.match(r"\w", line) and "'win32'" not in line]
    stated = re.search(r"(\d+) wheels", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert stated is not None
    assert int(stated[1]) == len(pinned)


def test_the_locks_agree() -> None:
    """What runs is what was tested: the development set holds the run set, in the same versions."""
    run, dev = (
        set(
            re.findall(r"^([\w.-]+==[^ \\]+)", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in ("run.txt", "dev.txt")
    )
    assert run - dev == set()
    assert run
