"""What changed between two estimates, and why: a bridge from one total to the other that adds up."""

from nottermost_cost.compare.bridge import Bridge, Effects, build_bridge
from nottermost_cost.compare.compare import compare_subjects
from nottermost_cost.compare.render import render_json, render_markdown, render_text

__all__ = ["Bridge", "Effects", "build_bridge", "compare_subjects", "render_json", "render_markdown", "render_text"]
