"""Loaded before any test.

pytest makes empty modules for the folders that tests lie in (--import-mode=importlib), one of which is
`platform`. The standard library's has to be there first, or pandas finds the empty one.
"""

import platform

assert platform.python_implementation(), "the standard library's platform"
