"""The files of a host, all at once."""

DOCUMENTATION = r"""
module: host_files
short_description: Files and links below a root, with their folders
description:
  - Writes what differs in content or mode, makes the folders on the way, and leads links to where they are to lead.
  - One call for a whole role, where a loop over the builtin template takes a third of a second a file.
options:
  root: {description: Before every path; empty for this machine, type: str, default: ""}
  files:
    description: What is to be there
    type: list
    elements: dict
    default: []
    options:
      path: {description: Absolute, type: str, required: true}
      content: {description: The whole of it, type: str, required: true}
      mode: {description: Octal, type: str, default: "0644"}
  links:
    description: Symbolic links that are to be there, in the place of whatever is
    type: list
    elements: dict
    default: []
    options:
      path: {description: Absolute, type: str, required: true}
      to: {description: Where it leads, type: str, required: true}
author: [Nottermost (@nottermost)]
"""
EXAMPLES = r"""
- name: Write the time servers
  nottermost.platform.host_files:
    files:
      - {path: /etc/chrony.d/amazon.sources, content: "server 169.254.169.123\n"}
"""
RETURN = r"""
written: {description: paths that were not as they are to be, type: list, returned: always}
"""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule


@dataclass(frozen=True)
class Entry:
    """One file or link. `content`: of a file; `to`: of a link."""

    path: Path
    content: str = ""
    mode: int = 0
    to: str = ""

    def read(self) -> str:
        """What is there, in the form of `show`; "" for nothing."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return ""
        if stat.S_ISLNK(found.st_mode):
            return f"link to {self.path.readlink()}\n"
        if not stat.S_ISREG(found.st_mode):
            return "neither a file nor a link\n"
        return _show(stat.S_IMODE(found.st_mode), self.path.read_bytes().decode(errors="replace"))

    def show(self) -> str:
        return f"link to {self.to}\n" if self.to else _show(self.mode, self.content)

    def write(self) -> None:
        """Put it in place at once: who reads meanwhile sees the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".nottermost-") as folder:
            new = Path(folder) / "new"
            if self.to:
                new.symlink_to(self.to)
            else:
                new.touch(mode=0o600)
                new.write_text(self.content)
                new.chmod(self.mode)
            os.replace(new, self.path)  # noqa: PTH105 - Path.replace follows nothing either, but hides that a link is replaced


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring it about; returns what Ansible is told. Raises: OSError."""
    root = params["root"]
    entries = [
        Entry(Path(root + each["path"]), content=each["content"], mode=int(each["mode"], 8)) for each in params["files"]
    ]
    entries += [Entry(Path(root + each["path"]), to=each["to"]) for each in params["links"]]
    stale = [(entry, found) for entry in entries if (found := entry.read()) != entry.show()]
    if not check:
        for entry, _ in stale:
            entry.write()
    names = [str(entry.path).removeprefix(root) for entry, _ in stale]
    diffs = [
        {"before": found, "after": entry.show(), "before_header": name, "after_header": name}
        for (entry, found), name in zip(stale, names, strict=True)
    ]
    return {"changed": bool(stale), "written": names, "diff": diffs}


def _show(mode: int, content: str) -> str:
    return f"mode {mode:04o}\n{content}"


def main() -> None:
    path = {"type": "str", "required": True}
    file = {"path": path, "content": {"type": "str", "required": True}, "mode": {"type": "str", "default": "0644"}}
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "str", "default": ""},
            "files": {"type": "list", "elements": "dict", "default": [], "options": file},
            "links": {"type": "list", "elements": "dict", "default": [], "options": {"path": path, "to": path}},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check=module.check_mode))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
