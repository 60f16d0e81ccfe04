"""What was really billed: FOCUS exports and AWS cost and usage reports, imported to the last row."""

from nottermost_cost.bill.anomalies import Anomaly, Oddity
from nottermost_cost.bill.bill import Bill, Billed, BillKind, CommitmentBilled, CostType, Dimension, MonthBilled
from nottermost_cost.bill.generate import KnownTotals, write_bill
from nottermost_cost.bill.importing import load_bill
from nottermost_cost.bill.rates import DatedRate, load_rates, parse_rates
from nottermost_cost.bill.report import actual_json, render_actual

__all__ = [
    "Anomaly",
    "Bill",
    "BillKind",
    "Billed",
    "CommitmentBilled",
    "CostType",
    "DatedRate",
    "Dimension",
    "KnownTotals",
    "MonthBilled",
    "Oddity",
    "actual_json",
    "load_bill",
    "load_rates",
    "parse_rates",
    "render_actual",
    "write_bill",
]
