"""The ratios as a picture: a bar each, on a logarithmic scale, beside the line of equal times."""

import math
from xml.sax.saxutils import escape

from page import digits

ROW, LEFT, WIDTH, TOP = 18, 430, 420, 40
SPAN = 5  # powers of two to either side of equal


def _place(ratio):
    return LEFT + WIDTH * (max(-SPAN, min(SPAN, math.log2(ratio))) + SPAN) / (2 * SPAN)


def _bar(row, y):
    x, middle = _place(row.ratio), _place(1)
    colour = "#999" if row.is_beside_itself() and row.holds() else "#3b7dd8" if row.holds() else "#d8843b"
    lines = [f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row.what)}, to {escape(row.to)}</text>'
             f'<rect x="{min(x, middle):.1f}" y="{y + 2}" width="{max(1, abs(x - middle)):.1f}" height="{ROW - 6}" fill="{colour}"/>'
             f'<text x="{LEFT + WIDTH + 8}" y="{y + 12}">{digits(row)}</text>']  # fmt: skip
    if row.most is not None:
        lines.append(f'<line x1="{_place(row.most):.1f}" x2="{_place(row.most):.1f}" y1="{y}" y2="{y + ROW - 2}" stroke="#b00"/>')
    return lines


def of(report):
    """SVG of all rows: first those beside others, then what h5bridge takes beside other work of its own."""
    others = [row for row in report.rows if not row.is_beside_itself()]
    own = [row for row in report.rows if row.is_beside_itself()]
    height = TOP + ROW * (len(others) + len(own) + (2 if own else 0)) + 30
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" font-family="sans-serif" font-size="11">',
             f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="14">times of h5bridge to those of others; left of the line it is faster</text>']  # fmt: skip
    for power in range(-SPAN, SPAN + 1):
        x = _place(2.0**power)
        stroke = "#333" if power == 0 else "#ddd"
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 24}" stroke="{stroke}"/>'
                     f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle" fill="#666">{2**power if power >= 0 else f"1/{2**-power}"}</text>')  # fmt: skip
    for i, row in enumerate(others):
        lines += _bar(row, TOP + ROW * i)
    if own:
        y = TOP + ROW * (len(others) + 1)
        lines.append(f'<text x="{LEFT}" y="{y + 10}">h5bridge beside itself at other work: nobody else is faster or slower</text>')
        for i, row in enumerate(own):
            lines += _bar(row, y + ROW * (i + 1))
    lines.append(f'<text x="{LEFT}" y="{height - 8}" fill="#666">red: what the ratio may be, or is aimed at</text></svg>')
    return "\n".join(lines) + "\n"
