"""Writes what the roles take from elsewhere: the index as the chat searches it, the topics, the inventories.

`python ansible/generate.py` writes, `--check` only looks, and exits 3 when something is stale.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nottermost_chat.adapters.kafka_client import Brokers, new_topic
from nottermost_chat.adapters.opensearch_query import render_template
from nottermost_chat.settings import Settings
from nottermost_conventions import ExitCode
from nottermost_conventions.topics import TOPICS
from nottermost_platform.inventory import ENVIRONMENTS, dump_yaml, read_reviewed, render

FOLDER: Final = Path(__file__).parent
NOTE: Final = "# Written by ansible/generate.py; do not edit.\n"
COPIES: Final = 3  # the role sets what depends on it


def texts() -> Iterator[tuple[Path, str]]:
    """Each generated file with its content."""
    template = render_template(f"{Settings().search_prefix}-messages-*", shards=1, replicas="0-1")
    yield FOLDER / "roles/search/files/messages.json", json.dumps(template, indent=2) + "\n"
    yield FOLDER / "roles/topics/vars/main.yml", NOTE + dump_yaml({"topics_list": _topics()})
    for env in ENVIRONMENTS:
        yield FOLDER / f"inventories/{env}.yml", render(read_reviewed(env))


def _topics() -> list[dict[str, object]]:
    made = [new_topic(Brokers(""), topic, COPIES) for topic in TOPICS]
    return [{"name": each.topic, "partitions": each.num_partitions, "config": dict(each.config or {})} for each in made]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 when something is stale")
    check = parser.parse_args().check
    stale = [(path, text) for path, text in texts() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        if check:
            sys.stderr.write(f"{path.relative_to(FOLDER.parent)} is stale: run `python ansible/generate.py`\n")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return int(ExitCode.SAYS_NO) if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
