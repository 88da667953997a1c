"""Plots as SVG, by hand: grouped bars and lines are all that is needed."""

import html
import math
import textwrap

WIDTH, LEFT, RIGHT, TOP = 760, 70, 20, 64
PLOT_HEIGHT = 240
COLOURS = ["#1f6feb", "#8250df", "#d97706", "#b45309", "#6b7280", "#0f766e"]
FONT = 'font-family="system-ui, sans-serif"'


def number(value):
    if value >= 10_000:
        return f"{value / 1000:,.0f}k" if value < 1e6 else f"{value / 1e6:g}M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def text(x, y, words, size=12, anchor="start", colour="#1f2328"):
    escaped = html.escape(str(words))
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" {FONT}>{escaped}</text>'


class Scale:
    """The vertical axis: from nothing, or by powers of ten where values lie too far apart."""

    def __init__(self, values):
        values = [value for value in values if value]
        highest, lowest = max(values, default=1), min(values, default=1)
        self.logarithmic = highest / lowest > 50
        if self.logarithmic:
            self.low, self.high = 10.0 ** math.floor(math.log10(lowest)), 10.0 ** math.ceil(math.log10(highest))
            exponents = range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)
            self.ticks = [10.0**exponent for exponent in exponents]
        else:
            step = 10 ** math.floor(math.log10(highest))
            step = next(part * step for part in (0.2, 0.5, 1, 2) if highest / (part * step) <= 6)
            self.low, self.high = 0, math.ceil(highest / step) * step
            self.ticks = [step * index for index in range(round(self.high / step) + 1)]

    def y(self, value):
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = value / self.high
        return TOP + PLOT_HEIGHT * (1 - share)


def frame(title, unit, series, scale, body, footer):
    """The picture around what is drawn: title, legend, axis, and under it where and when it was measured."""
    parts = [text(LEFT - 50, 22, title, 15)]
    x = LEFT
    for index, name in enumerate(series):
        parts.append(f'<rect x="{x}" y="34" width="10" height="10" fill="{COLOURS[index % len(COLOURS)]}"/>')
        parts.append(text(x + 14, 43, name, 11))
        x += 24 + 6.2 * len(name)
    parts.append(text(LEFT - 8, TOP - 6, unit, 10, "end", "#59636e"))
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d1d9e0"/>')
        parts.append(text(LEFT - 8, y + 4, number(tick), 11, "end", "#59636e"))
    parts += body
    bottom = TOP + PLOT_HEIGHT + 44
    for line in [part for line in footer for part in textwrap.wrap(line, 150)]:
        parts.append(text(LEFT - 50, bottom, line, 9, colour="#59636e"))
        bottom += 13
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom}" width="{WIDTH}" height="{bottom}">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{bottom}" fill="white"/>', *parts, "</svg>", ""])


def bars(title, unit, groups, series, footer):
    """`series` has, by name, a value for each of the `groups`; None leaves a gap."""
    scale = Scale([value for values in series.values() for value in values])
    group_width = (WIDTH - LEFT - RIGHT) / len(groups)
    bar = min(group_width * 0.84 / len(series), 60)
    body = []
    for at, group in enumerate(groups):
        middle = LEFT + group_width * (at + 0.5)
        body.append(text(middle, TOP + PLOT_HEIGHT + 18, group, 12, "middle"))
        for index, values in enumerate(series.values()):
            if values[at] is None:
                continue
            x, y = middle + bar * (index - len(series) / 2), scale.y(values[at])
            height = TOP + PLOT_HEIGHT - y
            colour = COLOURS[index % len(COLOURS)]
            body.append(f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{bar - 2:.1f}" height="{height:.1f}" fill="{colour}"/>')
            body.append(text(x + bar / 2, y - 4, number(values[at]), 10, "middle"))
    return frame(title, unit, series, scale, body, footer)


def lines(title, unit, axis, series, footer):
    """`series` has, by name, points of a number above 0, drawn by powers of ten, and a value."""
    scale = Scale([value for points in series.values() for _, value in points])
    across = [x for points in series.values() for x, _ in points]
    least, most = math.log10(min(across)), math.log10(max(across))

    def place(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(x) - least) / ((most - least) or 1)

    body = []
    for exponent in range(math.ceil(least), math.floor(most) + 1):
        x = place(10.0**exponent)
        body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + PLOT_HEIGHT}" stroke="#eaeef2"/>')
        body.append(text(x, TOP + PLOT_HEIGHT + 16, number(10.0**exponent), 11, "middle", "#59636e"))
    body.append(text(WIDTH - RIGHT, TOP + PLOT_HEIGHT + 30, axis, 11, "end", "#59636e"))
    for index, points in enumerate(series.values()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{place(x):.1f},{scale.y(value):.1f}" for x, value in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{place(x):.1f}" cy="{scale.y(value):.1f}" r="2.5" fill="{colour}"/>' for x, value in points]
    return frame(title, unit, series, scale, body, footer)
