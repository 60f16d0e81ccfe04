"""Stands where the Pulumi CLI would: writes down how it was called and answers as the CLI does.

What it knows is in the file that PULUMI_STAND_IN names: `version`, the `stacks` that there are as
`<folder>/<stack>` with their resources and outputs, and those that `fail`; `closed`: the backend is not there. Calls go to a file beside it.
"""

import json
import os
import sys
from pathlib import Path

FILE = Path(os.environ["PULUMI_STAND_IN"])
UPDATE = {"kind": "update", "message": "", "environment": {}, "config": {}, "result": "succeeded"}
AT = "2026-11-21T08:00:00.000Z"
KEPT = ("PULUMI_BACKEND_URL", "PULUMI_AUTOMATION_API", "PULUMI_HOME")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def fail(why: str) -> int:
    sys.stderr.write(f"error: {why}\n")
    return 255


def main(arguments: list[str]) -> int:
    world = json.loads(FILE.read_text())
    if arguments == ["version"]:
        say(f"v{world['version']}")
        return 0
    arguments.remove("--non-interactive")
    with FILE.with_suffix(".calls").open("a") as calls:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        calls.write(json.dumps({"folder": Path.cwd().name, "argv": arguments, "environment": environment}) + "\n")
    stack = arguments[arguments.index("--stack") + 1] if "--stack" in arguments else arguments[-1]
    if arguments[:2] == ["stack", "init"]:
        stack = arguments[2]
    key = f"{Path.cwd().name}/{stack}"
    stacks = world["stacks"]
    words = " ".join(word for word in arguments[:2] if not word.startswith("-"))
    if world["closed"]:
        return fail("could not list bucket: NoSuchBucket")
    if words == "stack init":
        stacks[key] = {"outputs": {}, "resources": []}
    elif key not in stacks:
        return fail(f"no stack named '{stack}' found")
    elif words in ("up", "destroy") and key in world["fail"]:
        say("Updating")
        return fail("update failed: the subnet is in use")
    elif words == "destroy":
        stacks[key]["resources"] = []
    elif words == "stack rm":
        del stacks[key]
        (Path.cwd() / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)
    elif words == "stack output":
        outputs = stacks[key]["outputs"]
        masked = {name: "[secret]" if value == "plain text" else value for name, value in outputs.items()}
        say(json.dumps(outputs if "--show-secrets" in arguments else masked))
    elif words == "stack export":
        say(json.dumps({"version": 3, "deployment": {"resources": stacks[key]["resources"]}}))
    elif words == "stack history":
        say(json.dumps([{**UPDATE, "startTime": AT, "endTime": AT}]))
    FILE.write_text(json.dumps(world))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
