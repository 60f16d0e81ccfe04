"""Curves in a frame: what is drawn where, in percent of the frame, so that text never scales with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

_BOX: Final = 1000  # curves are drawn in a box of this size, which is stretched over the frame
_STEPS: Final = 5  # at most between the ends of an axis
_NICE: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_STYLES: Final = 4
_ROOM: Final = Decimal("1.3")  # above and below curves on a logarithmic axis
_EDGE: Final = Decimal("0.15")  # nearer to a side than this, text is kept within

Points = Sequence[tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Axis:
    """From where to where, and how its numbers are written.

    Attributes:
        step: between two numbers; None: a round one. Of a logarithmic axis they are powers of ten.
    """

    low: Decimal
    high: Decimal
    write: Callable[[Decimal], str]
    is_logarithmic: bool = False
    step: Decimal | None = None

    def place(self, value: Decimal) -> Decimal:
        """0 at the low end, 1 at the high one."""
        if self.is_logarithmic:
            return (value / self.low).ln() / (self.high / self.low).ln()
        return (value - self.low) / (self.high - self.low)

    def numbers(self) -> list[Decimal]:
        """Those written along it."""
        if self.is_logarithmic:
            first, last = _power(self.low, ROUND_CEILING), _power(self.high, ROUND_FLOOR)
            return [Decimal(1).scaleb(power) for power in range(first, last + 1)]
        step = self.step or _round_step((self.high - self.low) / _STEPS)
        first, last = (
            int((end / step).to_integral_value(way))
            for end, way in ((self.low, ROUND_CEILING), (self.high, ROUND_FLOOR))
        )
        return [step * at for at in range(first, last + 1)]

    def widen(self) -> "Axis":
        """With room beyond its ends where it is logarithmic, else up to the next number."""
        if self.is_logarithmic:
            return Axis(self.low / _ROOM, self.high * _ROOM, self.write, is_logarithmic=True)
        step = self.step or _round_step((self.high - self.low) / _STEPS)
        return Axis(self.low, (self.high / step).to_integral_value(ROUND_CEILING) * step, self.write, step=step)


@dataclass(frozen=True, slots=True)
class Tick:
    """A number of an axis; `anchor` keeps it within the drawing."""

    at: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A curve: `points` as SVG has them, in a box of 1000 by 1000."""

    style: str
    name: str
    points: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot."""

    x: str
    y: str
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves with their axes.

    Attributes:
        description: what a reader who does not see it is told.
        axes: what a reader must know of them; "" for nothing.
        marks: where curves cross; here: a line across the frame, with what it says.
    """

    name: str
    title: str
    description: str
    axes: str
    traces: tuple[Trace, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    here: Tick | None


def draw_plot(
    name: str,
    title: str,
    description: str,
    curves: Mapping[str, Points],
    *,
    x: Axis,
    y: Axis,
    marks: Iterable[tuple[Decimal, Decimal, str]] = (),
    here: tuple[Decimal, str] | None = None,
    axes: str = "",
) -> Plot:
    """Place curves (by name), dots (x, y, title) and one x with a label on two axes; y gets the room that it needs."""
    y = y.widen()
    return Plot(
        name,
        title,
        description,
        axes,
        tuple(
            Trace(f"line{at % _STYLES}", label, " ".join(_point(x, y, *point) for point in points))
            for at, (label, points) in enumerate(curves.items())
        ),
        tuple(
            Tick(_percent(place), x.write(number), _anchor(place))
            for number in x.numbers()
            for place in (x.place(number),)
        ),
        tuple(Tick(_percent(1 - y.place(number)), y.write(number), "end") for number in y.numbers()),
        tuple(Mark(_percent(x.place(left)), _percent(1 - y.place(up)), text) for left, up, text in marks),
        Tick(_percent(x.place(here[0])), here[1], _anchor(x.place(here[0]))) if here else None,
    )


def _point(x: Axis, y: Axis, left: Decimal, up: Decimal) -> str:
    return f"{x.place(left) * _BOX:.2f},{(1 - y.place(up)) * _BOX:.2f}"


def _anchor(place: Decimal) -> str:
    return "start" if place < _EDGE else "end" if place > 1 - _EDGE else "middle"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.3f}%"


def _power(value: Decimal, way: str) -> int:
    return int(value.log10().to_integral_value(way))


def _round_step(value: Decimal) -> Decimal:
    """The next of 1, 2, 2.5, 5 and their tenfolds."""
    unit = Decimal(1).scaleb(value.adjusted())
    return unit * next(each for each in _NICE if each * unit >= value)
