"""Small files that hold secrets: written whole or not at all, readable by nobody else."""

import os
from pathlib import Path


def write_private_file(path: Path, content: bytes) -> None:
    """Write, sync and rename; a crash at any moment leaves the old file or the new one."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
