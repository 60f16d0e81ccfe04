"""What was really billed: FOCUS exports and AWS cost and usage reports, imported to the last row."""

from nottermost_cost.bill.anomalies import Anomaly, Oddity
from nottermost_cost.bill.bill import Bill, BillKind, CostType, Dimension
from nottermost_cost.bill.generate import write_bill
from nottermost_cost.bill.importing import load_bill
from nottermost_cost.bill.report import actual_json, render_actual
from nottermost_cost.currencies import parse_rates

__all__ = [
    "Anomaly",
    "Bill",
    "BillKind",
    "CostType",
    "Dimension",
    "Oddity",
    "actual_json",
    "load_bill",
    "parse_rates",
    "render_actual",
    "write_bill",
]
