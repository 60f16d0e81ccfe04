"""The command reference, made from the commands themselves."""

from pathlib import Path
from typing import Any

import typer

FILE = "commands.md"
NOTE = "<!-- Made by `nottermost chat docs`; change the commands, not this file. -->"


def render_reference() -> str:
    """Every command with its help and options."""
    from nottermost_cli.main import app

    parts = [f"# Commands\n{NOTE}\n"]
    root: Any = typer.main.get_command(app)  # Typer brings its own copy of click, which has no types
    for group_name, group in root.commands.items():
        parts += _render_group(f"nottermost {group_name}", group)
    return "\n".join(parts)


def _render_group(name: str, group: Any) -> list[str]:
    parts = []
    for below, command in group.commands.items():
        full = f"{name} {below}"
        parts += _render_group(full, command) if hasattr(command, "commands") else [_render(full, command)]
    return parts


def check_reference(folder: Path) -> list[str]:
    """The reference's path when it is stale."""
    path = folder / FILE
    return [] if path.is_file() and path.read_text() == render_reference() else [FILE]


def write_reference(folder: Path) -> None:
    (folder / FILE).write_text(render_reference())


def _render(name: str, command: Any) -> str:
    paragraphs = (command.help or "").strip().split("\n\n")
    examples = [text.removeprefix("Example: ").strip() for text in paragraphs if text.startswith("Example: ")]
    lines = [f"## {name}", "\n\n".join(text for text in paragraphs if not text.startswith("Example: ")), ""]
    for example in examples:
        lines += ["```sh", example, "```", ""]
    lines += ["| option | meaning |", "|---|---|"]
    for parameter in command.params:
        shown = parameter.name.upper() if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
        lines.append(f"| `{shown}` | {getattr(parameter, 'help', '') or ''} |")
    return "\n".join(lines) + "\n"
