"""The contract between the roles: generates its code, and refuses what would break it.

`python -m nottermost_chat.rpc.contract` is `make proto`, with `--check` a part of `make lint`.
`contract.txtpb` is the contract as it was last accepted; a change that a process of the version
before would not understand is refused before anything is written.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from nottermost_chat.errors import ChatError

SOURCE: Final = Path(__file__).parents[2]
MEMBER: Final = SOURCE.parent  # buf.yaml is there
PROTOS: Final = "nottermost_chat/rpc/v1"
ACCEPTED: Final = Path(__file__).with_name("contract.txtpb")


class ContractBroken(ChatError):
    """A tool refused the proto files, or what was made from them is not what is committed."""

    code = "contract_broken"


def generate(source: Path, out: Path) -> None:
    """Python code of the proto files below `source`, into `out` under the same folders."""
    protos = [str(path.relative_to(source)) for path in sorted((source / PROTOS).glob("*.proto"))]
    arguments = ["-I", str(source), f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    _run([sys.executable, "-m", "grpc_tools.protoc", *arguments, *protos])


def describe(source: Path, out: Path) -> None:
    """The descriptors of the proto files, as readable text."""
    _buf("build", str(source), "--as-file-descriptor-set", "--exclude-source-info", "--output", str(out))


def check_style(source: Path) -> None:
    _buf("lint", str(source))
    _buf("format", str(source), "--diff", "--exit-code")


def check_compatible(source: Path, accepted: Path) -> None:
    """Raises: ContractBroken with a line for each change that is none that a deployment survives."""
    _buf("breaking", str(source), "--against", str(accepted))


def find_drift(source: Path, accepted: Path) -> list[str]:
    """Names of committed files that are not what the proto files give."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        generate(source, out)
        described = out / accepted.name
        describe(source, described)
        made = {source / path.relative_to(out): path for path in (out / PROTOS).iterdir()} | {accepted: described}
        stale = [path for path, fresh in made.items() if not path.exists() or path.read_text() != fresh.read_text()]
        left = [path for path in (source / PROTOS).glob("*_pb2*") if path not in made]
        return sorted(path.name for path in [*stale, *left])


def main(arguments: list[str]) -> None:
    check_style(SOURCE)
    check_compatible(SOURCE, ACCEPTED)
    if arguments != ["--check"]:
        generate(SOURCE, SOURCE)
        describe(SOURCE, ACCEPTED)
    elif drift := find_drift(SOURCE, ACCEPTED):
        raise ContractBroken(f"{', '.join(drift)}: not what the proto files give; run `make proto`")


def _buf(command: str, *arguments: str) -> None:
    """The tool comes as a wheel and looks nothing up: the files import nothing from outside."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("buf", path=folders)
    if found is None:
        raise ContractBroken("buf is not installed: `make setup` brings it, as the wheel buf-bin")
    _run([found, command, *arguments, "--config", str(MEMBER / "buf.yaml")])


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    if ran.returncode:
        raise ContractBroken(f"{Path(command[0]).name} says:\n{ran.stdout}{ran.stderr}".strip())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ContractBroken as broken:
        sys.exit(str(broken))
