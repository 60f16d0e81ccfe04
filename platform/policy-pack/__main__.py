"""What `pulumi preview --policy-pack platform/policy-pack` starts: `nottermost env policy`'s rules, asked by the engine."""

from nottermost_platform.rules.pack import serve

serve()
