"""Faults under load, judged by the history checker: `make chaos`, which writes docs/chaos.md.

`load.py` sends and reads through the load balancer, `faults.py` lists what is broken and how, `sites.py` says on which
cluster, `found.py` asks search, `measure.py` tells from the recorded times how long it was felt, `report.py` writes the table.
"""
