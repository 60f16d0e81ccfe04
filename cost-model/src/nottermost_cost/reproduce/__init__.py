"""What documents claim about cost, priced again: `reproduce`, and its text, JSON and document."""

from nottermost_cost.reproduce.findings import Reproduction
from nottermost_cost.reproduce.render import DOCUMENT, render_document, render_reproduction, reproduction_json
from nottermost_cost.reproduce.reproduction import reproduce

__all__ = ["DOCUMENT", "Reproduction", "render_document", "render_reproduction", "reproduce", "reproduction_json"]
