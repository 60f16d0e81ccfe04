"""A measured figure, as every benchmark prints it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, beside what, and what is aimed at.

    Attributes:
        ratio: to the reference, which was measured in the same run.
    """

    name: str
    value: float
    unit: str
    reference: str = ""
    ratio: float | None = None
    aim: str = ""

    def render(self) -> str:
        """One line of a table."""
        ratio = "" if self.ratio is None else f"ratio {self.ratio:.2f}"
        return (
            f"{self.name:<44}{self.value:>12,.1f} {self.unit:<4} {ratio:<12} {self.aim:<20} {self.reference}".rstrip()
        )
