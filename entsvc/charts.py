"""Where the bars and lines of a picture go: geometry alone, drawn as SVG by `templates/charts/`.

No library: the same picture must stand in a page that allows neither script nor inline style, on paper
by WeasyPrint, and be told to those who do not see it. Every chart carries its figures as a table. In a
template: `{% load charts %}{% chart figure %}`, or `{% chart figure table=False %}` beside a table.
Coordinates are text, « 12.5 »: a page in French would write them with a comma.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from entsvc.french import NO_BREAK, euros, integer

WIDTH = 720
LETTER = 6.6  # mean width of a letter of the labels, in the units of the drawing
LINE = 24  # height of a row of horizontal bars
PLOT = 220  # height of what stands above the horizontal axis
WIDEST = 56  # of a vertical bar
LONGEST_LABEL = 34
STEPS = (1, 2, 5, 10)
EURO = "€"
NOTHING = "–"
# Blue, ochre, green, plum: each stands out of white and of the dark pages at 3:1 or more.
TONES = ("#3c78ad", "#b8620b", "#3f8a55", "#9a5b92")
DASHES = ("", "7 4", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Rect:
    """A bar; `words` tell its value."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    words: str


@dataclass(frozen=True)
class Word:
    """A text; `anchor` is start, middle or end."""

    x: str
    y: str
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class Stroke:
    """A line through points, « 1,2 3,4 »; a rule of the grid has no tone, the axis is `strong`."""

    points: str
    tone: str = ""
    dash: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Dot:
    """A value on a line."""

    x: str
    y: str
    tone: str
    words: str


@dataclass(frozen=True)
class Key:
    """A series in the legend."""

    x: str
    end: str
    label_x: str
    label: str
    tone: str
    dash: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture and the same figures as a table: `head`, then `rows` whose first cell names them."""

    title: str
    summary: str
    height: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rects: tuple[Rect, ...] = ()
    words: tuple[Word, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    dots: tuple[Dot, ...] = ()
    keys: tuple[Key, ...] = ()
    width: int = WIDTH


def bars(title: str, rows: Iterable[tuple[str, Decimal]], unit: str = EURO) -> Chart:
    """Return horizontal bars, one by (label, value), in the order given; negative ones go left.

    Each says its value at its end. `unit` is « € » or the plural noun of what is counted.
    """
    rows = list(rows)
    values = [value for _, value in rows]
    low, high = min([*values, 0]), max([*values, 0])
    said = [_worded(value, unit) for value in values]
    room = max([len(words) for words in said], default=0) * LETTER + 12
    left = max([len(_short(label)) for label, _ in rows], default=0) * LETTER + 12
    left += room if low < 0 else 0
    scale = (WIDTH - left - room) / float(high - low or 1)
    zero = left - float(low) * scale
    rects, words = [], []
    for index, (label, value) in enumerate(rows):
        top, length = index * LINE + 4, abs(float(value)) * scale
        start, negative = (zero - length, True) if value < 0 else (zero, False)
        tone = TONES[1] if negative else TONES[0]
        box = (_at(start), _at(top), _at(max(length, 1)), _at(LINE - 8))
        rects.append(Rect(*box, tone, f"{label} : {said[index]}"))
        level = _at(top + 12)
        words.append(Word("0", level, _short(label)))
        end = Word(_at(start - 6), level, said[index], "end")
        words.append(end if negative else Word(_at(zero + length + 6), level, said[index]))
    height = len(rows) * LINE + 4
    axis = Stroke(f"{_at(zero)},0 {_at(zero)},{height}", strong=True)
    return Chart(
        title=title,
        summary=_summary(unit, [label for label, _ in rows]),
        height=_at(height),
        head=("", _heading(unit)),
        rows=tuple((label, words) for (label, _), words in zip(rows, said, strict=True)),
        rects=tuple(rects),
        words=tuple(words),
        strokes=(axis,),
    )


def columns(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[Decimal | None]], unit: str = EURO
) -> Chart:
    """Return vertical bars side by side, one group by label, one tone by series; None draws nothing."""
    plot = _Plot(labels, series, unit)
    rects = []
    each = min(plot.step * 0.7 / max(len(series), 1), WIDEST)
    margin = (plot.step - each * len(series)) / 2
    for rank, (name, values) in enumerate(series.items()):
        for index, value in enumerate(values):
            if value is None:
                continue
            x = plot.left + plot.step * index + margin + each * rank
            top, bottom = sorted((plot.y(value), plot.y(0)))
            words = f"{labels[index]}, {name} : {_worded(value, unit)}"
            box = (_at(x), _at(top), _at(each * 0.92), _at(max(bottom - top, 1)))
            rects.append(Rect(*box, _tone(rank), words))
    return plot.chart(title, rects=tuple(rects), keys=_keys(series))


def lines(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[Decimal | None]], unit: str = EURO
) -> Chart:
    """Return one line by series across the labels; None leaves a gap."""
    plot = _Plot(labels, series, unit)
    strokes, dots = [], []
    for rank, (name, values) in enumerate(series.items()):
        tone, dash = _tone(rank), DASHES[rank % len(DASHES)]
        points = [
            None if value is None else (_at(plot.left + plot.step * (index + 0.5)), _at(plot.y(value)))
            for index, value in enumerate(values)
        ]
        strokes += [
            Stroke(f"{a[0]},{a[1]} {b[0]},{b[1]}", tone, dash) for a, b in pairwise(points) if a and b
        ]
        dots += [
            Dot(*point, tone, f"{labels[index]}, {name} : {_worded(values[index], unit)}")
            for index, point in enumerate(points)
            if point
        ]
    return plot.chart(title, strokes=tuple(strokes), dots=tuple(dots), keys=_keys(series, dashed=True))


class _Plot:
    """The frame of a vertical chart: its scale, its grid, its labels."""

    def __init__(
        self, labels: Sequence[str], series: Mapping[str, Sequence[Decimal | None]], unit: str
    ) -> None:
        self.labels, self.series, self.unit = labels, series, unit
        known = [value for values in series.values() for value in values if value is not None]
        self.ticks = ticks(min([*known, Decimal(0)]), max([*known, Decimal(0)]))
        marks = [_mark(tick, unit) for tick in self.ticks]
        self.left = max(len(mark) for mark in marks) * LETTER + 10
        self.step = (WIDTH - self.left) / max(len(labels), 1)
        self.top = 30 if len(series) > 1 else 10
        self.marks = marks

    def y(self, value: Decimal | int) -> float:
        """Return how low a value stands."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.top + PLOT * float((high - value) / (high - low))

    def chart(self, title: str, **drawn: tuple) -> Chart:
        """Return the chart of what was drawn in this frame."""
        grid = [
            Stroke(f"{_at(self.left)},{_at(self.y(tick))} {WIDTH},{_at(self.y(tick))}", strong=not tick)
            for tick in self.ticks
        ]
        words = [
            Word(_at(self.left - 8), _at(self.y(tick) + 4), mark, "end")
            for tick, mark in zip(self.ticks, self.marks, strict=True)
        ]
        # Labels that would run into each other are named one out of two, or of three…
        longest = max([len(label) for label in self.labels], default=0) * LETTER + 8
        every = max(1, -(-int(longest) // max(int(self.step), 1)))
        bottom = self.top + PLOT + 20
        words += [
            Word(_at(self.left + self.step * (index + 0.5)), _at(bottom), label, "middle")
            for index, label in enumerate(self.labels)
            if index % every == 0
        ]
        strokes = (*grid, *drawn.pop("strokes", ()))
        return Chart(
            title=title,
            summary=_summary(self.unit, list(self.series)),
            height=_at(bottom + 8),
            head=("", *self.series),
            rows=tuple(
                (label, *(_said(values[index], self.unit) for values in self.series.values()))
                for index, label in enumerate(self.labels)
            ),
            words=tuple(words),
            strokes=strokes,
            **drawn,
        )


def ticks(low: Decimal, high: Decimal) -> list[Decimal]:
    """Return about five round values, a round step apart, that hold `low` and `high`."""
    span = high - low or Decimal(1)
    size = Decimal(10) ** ((span / 5).adjusted())
    step = next(size * factor for factor in STEPS if size * factor * 5 >= span)
    first, last = (
        (low / step).to_integral_value("ROUND_FLOOR"),
        (high / step).to_integral_value("ROUND_CEILING"),
    )
    last = max(last, first + 1)
    return [step * index for index in range(int(first), int(last) + 1)]


def _keys(series: Iterable[str], *, dashed: bool = False) -> tuple[Key, ...]:
    names = list(series)
    if len(names) < 2:
        return ()
    found, x = [], 0.0
    for rank, name in enumerate(names):
        dash = DASHES[rank % len(DASHES)] if dashed else ""
        found.append(Key(_at(x), _at(x + 22), _at(x + 28), name, _tone(rank), dash))
        x += len(name) * LETTER + 50
    return tuple(found)


def _tone(rank: int) -> str:
    return TONES[rank % len(TONES)]


def _summary(unit: str, names: list[str]) -> str:
    return f"En {unit if unit != EURO else 'euros'} : {', '.join(names)}." if names else "Aucune donnée."


def _heading(unit: str) -> str:
    return "Montant" if unit == EURO else unit[:1].upper() + unit[1:]


def _said(value: Decimal | None, unit: str) -> str:
    return NOTHING if value is None else _worded(value, unit)


def _worded(value: Decimal | int, unit: str) -> str:
    if unit == EURO:
        return euros(Decimal(value))
    whole = int(value) == value
    return integer(int(value)) if whole else f"{value}".replace(".", ",")


def _mark(tick: Decimal, unit: str) -> str:
    """Return a round value of the axis: without cents as soon as it has none."""
    if tick != int(tick):
        return _worded(tick, unit)
    return integer(int(tick)) + (f"{NO_BREAK}€" if unit == EURO else "")


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1].rstrip()}…"


def _at(number: float) -> str:
    return f"{number:.1f}"
