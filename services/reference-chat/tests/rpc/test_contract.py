"""The gRPC contract: its code is the one committed, and what would break it is refused."""

import shutil
from pathlib import Path

import pytest

from nottermost_chat.rpc import contract

INGEST = f"{contract.PROTOS}/ingest.proto"
FANOUT = f"{contract.PROTOS}/fanout.proto"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the proto files to change."""
    shutil.copytree(
        contract.SOURCE / contract.PROTOS, tmp_path / contract.PROTOS, ignore=shutil.ignore_patterns("*.py*")
    )
    return tmp_path


def change(source: Path, file: str, *replacements: tuple[str, str]) -> None:
    path = source / file
    text = path.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def test_what_is_committed_is_what_the_proto_files_give() -> None:
    """Code and descriptor are made again and compared; style and compatibility hold."""
    contract.main(["--check"])


def test_drift_is_named(source: Path) -> None:
    """A changed proto file, or generated code that nothing generates any more."""
    contract.generate(source, source)
    change(source, INGEST, ("  uint64 beat = 3;", "  uint64 beat = 3;\n  bool more = 5;"))
    (source / contract.PROTOS / "gone_pb2.py").touch()
    drift = contract.find_drift(source, contract.ACCEPTED)
    assert drift == ["contract.txtpb", "gone_pb2.py", "ingest_pb2.py", "ingest_pb2.pyi"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param(INGEST, "  string op_id = 7;", "", id="field removed, nothing reserved"),
        pytest.param(INGEST, "  string op_id = 7;", "  reserved 7;", id="field removed, name not reserved"),
        pytest.param(INGEST, "  string op_id = 7;", "  string op_id = 70;", id="field renumbered"),
        pytest.param(INGEST, "  string op_id = 7;", "  bytes op_id = 7;", id="type changed"),
        pytest.param(INGEST, "  int64 read_seq = 3;", "  int32 read_seq = 3;", id="type narrowed"),
        pytest.param(INGEST, "  string op_id = 7;", "  repeated string op_id = 7;", id="became a list"),
        pytest.param(INGEST, "  repeated string mentions = 13;", "  string mentions = 13;", id="no list any more"),
        pytest.param(INGEST, "  string op_id = 7;", "  string operation_id = 7;", id="field renamed"),
        pytest.param(INGEST, "  rpc Among(AmongRequest) returns (AmongResponse);", "", id="rpc removed"),
        pytest.param(INGEST, "  rpc Among(AmongRequest)", "  rpc Inside(AmongRequest)", id="rpc renamed"),
        pytest.param(INGEST, "rpc TierOf(TierOfRequest) returns (TierOfResponse)", "rpc TierOf(TierOfRequest) returns (Rate)", id="answer changed"),
        pytest.param(INGEST, "(stream ConnectRequest)", "(ConnectRequest)", id="no stream any more"),
        pytest.param(INGEST, "message RevokeResponse {}", "", id="message removed"),
        pytest.param(FANOUT, "service FanoutService", "service Fanout", id="service renamed"),
    ],
)  # fmt: skip
def test_each_kind_of_breaking_change_is_refused(source: Path, file: str, old: str, new: str) -> None:
    """Old and new processes talk to each other during every deployment."""
    change(source, file, (old, new))
    if "RevokeResponse {}" in old:
        change(source, file, ("returns (RevokeResponse)", "returns (RevokeRequest)"))
    with pytest.raises(contract.ContractBroken, match=Path(file).name):
        contract.check_compatible(source, contract.ACCEPTED)


def test_an_enum_value_is_not_removed(source: Path, tmp_path: Path) -> None:
    """There is no enum yet; the rules hold for the first one."""
    enum = "\nenum Colour {\n  COLOUR_UNSPECIFIED = 0;\n  COLOUR_RED = 1;\n}\n"
    path = source / FANOUT
    path.write_text(path.read_text() + enum)
    accepted = tmp_path / "accepted.txtpb"
    contract.describe(source, accepted)
    change(source, FANOUT, ("  COLOUR_RED = 1;\n", ""))
    with pytest.raises(contract.ContractBroken, match="COLOUR_RED"):
        contract.check_compatible(source, accepted)


def test_what_grows_is_welcome(source: Path) -> None:
    """New fields, calls and messages, and a removed field whose number and name stay reserved."""
    change(
        source,
        INGEST,
        ("  string op_id = 7;", '  reserved 7;\n  reserved "op_id";'),
        ("message RevokeResponse {}", "message RevokeResponse {\n  int64 gateways = 1;\n}\n\nmessage More {}"),
        ("  rpc Revoke(", "  rpc More(RevokeRequest) returns (RevokeResponse);\n  rpc Revoke("),
    )
    contract.check_compatible(source, contract.ACCEPTED)


def test_style_is_checked(source: Path) -> None:
    """Names and layout are those of all proto files."""
    contract.check_style(source)
    change(source, INGEST, ("string op_id = 7", "string OpId = 7"))
    with pytest.raises(contract.ContractBroken, match="OpId"):
        contract.check_style(source)
