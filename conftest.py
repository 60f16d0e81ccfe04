"""Loaded before any test.

With --import-mode=importlib a test in `platform/tests` is a module `platform.tests.…`, and pytest puts an empty
package in the place of a parent that is none: here of the standard library's `platform`, which pandas needs. With a
path of its own the standard library's module may be that parent. The same goes for `ansible/tests`: the real
package, once imported, stays.
"""

import platform
from pathlib import Path

import ansible as _ansible  # noqa: F401 - as above

platform.__path__ = [str(Path(__file__).with_name("platform"))]  # type: ignore[attr-defined]
pytest_plugins = ["nottermost_chat.testing.server_fixtures"]
