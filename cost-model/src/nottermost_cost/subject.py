"""What is estimated, in one word: `[ENVIRONMENT][@REVISION][:SCENARIO]`, at least one part of it.

    staging            an environment
    growth             a scenario: a bare word that no environment has as its name
    :growth            the same, whatever the word
    @HEAD~3            the graphs of a git revision
    prod@v1.2:scale    all of it

What is left out is as the options say. From a revision come the graphs alone, those of the non-production environments
too. Prices, scenarios, coefficients and terms are today's, so that a comparison shows what the graphs changed.
"""

import io
import re
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from nottermost_cost.engine import Choice, load_model, make_estimate
from nottermost_cost.errors import CostError, GraphError
from nottermost_cost.estimate import Estimate

_ENVIRONMENT: Final = re.compile(r"dev|staging|prod|pr-(0|[1-9][0-9]{0,4})")
_GIT_TIMEOUT_S: Final = 60  # an archive of the graphs takes a second; a disk that hangs should not hang a pipeline
_GRAMMAR: Final = "expected [ENVIRONMENT][@REVISION][:SCENARIO], such as staging, growth, prod@HEAD~3 or prod:scale"


class UnknownSubject(CostError):
    """What is to be estimated cannot be read, or is not there."""

    code = "unknown_subject"


@dataclass(frozen=True, slots=True)
class Subject:
    """A part that is None is as the options say."""

    environment: str | None = None
    revision: str | None = None
    scenario: str | None = None

    def apply(self, base: Choice) -> Choice:
        """The options with what it says."""
        return replace(base, environment=self.environment or base.environment, scenario=self.scenario or base.scenario)

    def label(self, base: Choice) -> str:
        """All that it means, in the grammar."""
        choice = self.apply(base)
        return f"{choice.environment}{f'@{self.revision}' if self.revision else ''}:{choice.scenario}"


def parse_subject(text: str) -> Subject:
    """Read the grammar. Raises: UnknownSubject."""
    rest, colon, scenario = text.partition(":")
    environment, at, revision = rest.partition("@")
    if environment and not _ENVIRONMENT.fullmatch(environment):
        if at or colon:
            raise UnknownSubject(f"{text!r}: {environment!r} is no environment: {_GRAMMAR}")
        environment, scenario = "", environment
    if not (environment or revision or scenario) or (at and not revision) or (colon and not scenario):
        raise UnknownSubject(f"{text!r} names nothing: {_GRAMMAR}")
    if revision.startswith("-"):
        raise UnknownSubject(f"{text!r}: {revision!r} is no git revision")
    return Subject(environment or None, revision or None, scenario or None)


def estimate_subject(subject: Subject, base: Choice) -> Estimate:
    """Raises: UnknownSubject, and CostError of whatever cannot be estimated."""
    choice = subject.apply(base)
    if subject.revision is None:
        return make_estimate(load_model(choice))
    if choice.graph is not None:
        raise UnknownSubject(f"@{subject.revision} and {choice.graph}: give a revision or a graph file")
    with TemporaryDirectory(prefix="nottermost-graphs-") as folder:
        prefix = _extract_graphs(subject.revision, choice.graphs, Path(folder))
        try:
            return make_estimate(load_model(replace(choice, graphs=Path(folder))))
        except GraphError as error:
            said = str(error).replace(f"{folder}/", f"{subject.revision}:{prefix}")
            raise GraphError(said) from None


def _extract_graphs(revision: str, graphs: Path, folder: Path) -> str:
    """Write the graphs of a git revision into a folder, as they lie in `graphs`.

    Returns: where they lie in the repository, with a slash at its end.

    Raises: UnknownSubject when `graphs` is not in a repository, and when it has no such revision or that no graphs.
    """
    top, prefix = _git(
        graphs, "rev-parse", "--show-toplevel", "--show-prefix", problem=f"{graphs} is not in a git repository"
    ).decode().splitlines()  # fmt: skip
    commit = _git(
        graphs, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}",
        problem=f"the repository at {top} has no revision {revision}",
    ).decode().strip()  # fmt: skip
    archive = _git(
        Path(top), "archive", "--format=tar", f"{commit}:{prefix}", problem=f"revision {revision} has no {prefix}"
    )
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:  # by hand: extractall's `filter` is missing from Debian 12's Python
            data = files.extractfile(member) if member.isfile() else None
            path = folder / member.name
            if data is not None and path.resolve().is_relative_to(folder.resolve()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data.read())
    return prefix


def _git(folder: Path, *arguments: str, problem: str) -> bytes:
    """What git prints. Raises: UnknownSubject with the problem, and with git's own words where it has any."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_TIMEOUT_S, check=True)  # noqa: S603 (no shell)
    except FileNotFoundError:
        raise UnknownSubject("comparing revisions needs git, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnknownSubject(f"git has not answered for {_GIT_TIMEOUT_S} s: {problem}") from None
    except subprocess.CalledProcessError as error:
        words = " ".join(error.stderr.decode(errors="replace").split()).removeprefix("fatal: ")
        raise UnknownSubject(f"{problem}{f' ({words})' if words else ''}") from None
    return done.stdout
