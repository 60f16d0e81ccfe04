"""Whether an account still is what the programs declare; it is only read.

`find_drift` reads and compares, `render` shows. The readers of the areas enter themselves when they are imported.
"""

from nottermost_platform.drift import identity, messaging, network, runtime, stores, watching
from nottermost_platform.drift.account import Account, AccountError
from nottermost_platform.drift.compare import compare
from nottermost_platform.drift.readers import compared_types, find_drift, read_account
from nottermost_platform.drift.report import render
from nottermost_platform.drift.values import Deviation, Drift, Found, Reading, Tagged, Unread

__all__ = [
    "Account", "AccountError", "Deviation", "Drift", "Found", "Reading", "Tagged", "Unread", "compare", "compared_types",
    "find_drift", "identity", "messaging", "network", "read_account", "render", "runtime", "stores", "watching",
]  # fmt: skip
