"""What the local servers are made of: fetched once into a cache folder, under a name that tells what was asked for.

`make servers` fetches: jars by Maven, after the pom in `jvm/<name>/`, with the Java classes beside it compiled;
Toxiproxy by Go. Programs that the system packages (redis, postgres, haproxy, java) are only looked up here;
requirements/servers.sh installs them.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nottermost_chat.errors import StartError
from nottermost_chat.settings import CACHE_VARIABLE

JVM: Final = Path(__file__).with_name("jvm")
JAVA_RELEASE: Final = "17"  # Kafka 4 wants it; Debian 12 has it
TOXIPROXY: Final = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0"
FETCH_S_MAX: Final = 1800.0  # one server on a slow line; about 10 s on a fast one
Maker = Callable[[Path, str], None]  # makes what bears the name in the folder
POSTGRES_HOMES: Final = "/usr/lib/postgresql"  # where Debian keeps a folder for each version


class Artifacts:
    """The cache folder. Several processes may fetch at a time: one does, the others wait for it."""

    def __init__(self, folder: Path, makers: Mapping[str, Maker] | None = None) -> None:
        """`makers`: what makes each thing in a folder; by default all that the servers need."""
        self.folder, self._makers = folder, MAKERS if makers is None else makers

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Artifacts":
        """The user's own cache, or the folder that NOTTERMOST_CACHE names."""
        named = environment.get(CACHE_VARIABLE)
        return cls(Path(named).absolute() if named else Path.home() / ".cache" / "nottermost" / "servers")

    def fetch(self, announce: Callable[[str], object]) -> None:
        """Fetch what is missing; `announce` is told what is under way. Raises: StartError with what to do."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, make in self._makers.items():
            with self._locked(name):
                if not (place := self.place(name)).is_dir():
                    announce(f"fetching {name}")
                    self._make(place, make)

    def place(self, name: str) -> Path:
        """Where `name` is, or will be: a change of what is asked for changes the path."""
        return self.folder / f"{name}-{_digest(name)}"

    def require(self, name: str) -> Path:
        """Where `name` is. Raises: StartError when it was not fetched."""
        if not (place := self.place(name)).is_dir():
            raise StartError(f"{name} is not in {self.folder}: run `make servers`")
        return place

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / f".{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self, place: Path, make: Maker) -> None:
        """Whole or not at all: what a broken run leaves is never taken for a result."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=f".{place.name}.", ignore_cleanup_errors=True) as part:
            result = Path(part) / "result"
            result.mkdir()
            make(result, place.name.rpartition("-")[0])
            result.rename(place)


def find_program(name: str, *, package: str) -> Path:
    """A program of the system. Raises: StartError that names the package which brings it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise StartError(f"{name} is not installed: run `make servers`, or `sudo apt-get install {package}`")
    return Path(found)


def find_postgres(program: str) -> Path:
    """A program of the newest PostgreSQL, which Debian keeps off the PATH. Raises: StartError."""
    homes = [home for home in Path(POSTGRES_HOMES).glob("*") if (home / "bin" / program).is_file()]
    if not homes:
        return find_program(program, package="postgresql")
    return max(homes, key=lambda home: int(home.name)) / "bin" / program


def _make_jars(place: Path, name: str) -> None:
    """`lib/` with the jars, `classes/` with our classes and configuration."""
    classes = place / "classes"
    shutil.copytree(JVM / name, classes)
    # Sources and pom stay: they say what this is.
    maven = str(find_program("mvn", package="maven"))
    pom, lib = str(classes / "pom.xml"), str(place / "lib")
    options = ("-B", "-q", "-ntp", "-f", pom, "dependency:copy-dependencies")
    _run(name, maven, *options, f"-DoutputDirectory={lib}", "-DincludeScope=runtime")
    if sources := [str(path) for path in sorted(classes.glob("*.java"))]:
        javac = str(find_program("javac", package="default-jdk-headless"))
        _run(name, javac, "-nowarn", "--release", JAVA_RELEASE, "-cp", f"{lib}/*", "-d", str(classes), *sources)


def _make_toxiproxy(place: Path, name: str) -> None:
    """`toxiproxy-server`, which Go names `server`."""
    environment = os.environ | {"GOBIN": str(place), "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
    _run(name, str(find_program("go", package="golang")), "install", TOXIPROXY, environment=environment)
    (place / "server").rename(place / name)


def _run(name: str, *command: str, environment: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, errors="replace", timeout=FETCH_S_MAX, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StartError(f"{name}: {Path(command[0]).name} took more than {FETCH_S_MAX:.0f} s: try again") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-10:]
        raise StartError("\n".join([f"{name} could not be fetched: {Path(command[0]).name} says", *said]))


def _digest(name: str) -> str:
    """Twelve digits that change with whatever the result is made from."""
    digest = hashlib.sha256(JAVA_RELEASE.encode())
    folder = JVM / name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    if not folder.is_dir():
        digest.update(TOXIPROXY.encode())
    return digest.hexdigest()[:12]


MAKERS: Final[Mapping[str, Maker]] = {
    **dict.fromkeys(("kafka", "dynamodb", "opensearch", "elasticmq", "s3proxy"), _make_jars),
    "toxiproxy-server": _make_toxiproxy,
}
