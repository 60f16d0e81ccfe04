"""Reports of an estimate for people in finance: the same figures in every format.

`Figures` computes every number once; `tables` lays them out in columns for the terminal, the workbook
and the page, `document` in JSON. Rows in FOCUS columns are written by `focus`.
"""

from nottermost_cost.report.document import render_json
from nottermost_cost.report.figures import Figures
from nottermost_cost.report.page import render_page
from nottermost_cost.report.terminal import render_terminal
from nottermost_cost.report.workbook import render_workbook

__all__ = ["Figures", "render_json", "render_page", "render_terminal", "render_workbook"]
