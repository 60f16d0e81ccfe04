"""Why a program failed, in one line that is the same each time."""

import re
from collections.abc import Iterator
from typing import Final

# How the SDK wraps an error, once for the resource and once more for its input.
RESOURCE: Final = re.compile(r"While processing resource: '([^']*)', type:? '([^']*)'")
RISEN: Final = re.compile(r"\bhas risen: ")
INPUT: Final = re.compile(r"While processing input: '([^']*)'")
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")  # of an object in memory, another in each run


def explain(error: BaseException) -> str:
    """The innermost cause, and where the SDK knows it the resource and the input."""
    chain = list(_causes(error))
    cause = chain[-1]
    text = RISEN.split(str(cause))[-1]  # the wrapped error keeps its type; as a cause it is often lost
    text = ADDRESS.sub("", " ".join(text.split()))
    told = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
    said = "\n".join(str(each) for each in chain)
    where = []
    if found := INPUT.search(said):
        where.append(found[1])
    if found := RESOURCE.search(said):
        where.append(f"{found[2]} {found[1]}")
    return f"{told} ({' of '.join(where)})" if where else told


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from; the SDK raises some from themselves."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__
