from nottermost_platform.program import run
from nottermost_platform.stacks import edge

run(edge)
