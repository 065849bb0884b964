"""Small tables of numbers in a notebook."""

from __future__ import annotations

import html
from collections.abc import Mapping

LINE = "white-space: nowrap; text-align: "


class Table:
    """Rows and columns: HTML in a notebook, aligned text elsewhere.

    Args:
        rows: as in `table`.
        spec: as in `table`.
        title: as in `table`.
    """

    def __init__(
        self, rows: Mapping[str, Mapping[str, object]], spec: str = "", title: str = ""
    ) -> None:
        self.title = title
        columns: dict[str, None] = {}
        for row in rows.values():
            columns.update(dict.fromkeys(row))
        self.lines = [["", *columns]]
        for name, row in rows.items():
            self.lines.append([name, *(_written(row.get(c, ""), spec) for c in columns)])

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.lines, strict=True)]
        text = [self.title] if self.title else []
        for name, *cells in self.lines:
            parts = [name.ljust(widths[0])]
            parts += [cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=True)]
            text.append("  ".join(parts).rstrip())
        return "\n".join(text)

    def _repr_html_(self) -> str:
        head, *body = self.lines
        rows = "".join(_html_row("td", line) for line in body)
        table = f"<table><thead>{_html_row('th', head)}</thead><tbody>{rows}</tbody></table>"
        return f"<p><strong>{html.escape(self.title)}</strong></p>{table}" if self.title else table


def table(rows: Mapping[str, Mapping[str, object]], spec: str = "", title: str = "") -> None:
    """Show a small table in a notebook; nothing for no rows.

    Args:
        rows: name of the row -> heading of the column -> what stands there. The columns are in
            the order in which the rows first name them; what a row does not name stays blank.
        spec: the format of every number, such as ".2f" or ".0%"; words stay as they are.
        title: a line above.
    """
    from IPython.display import display

    if rows:
        display(Table(rows, spec, title))


def _written(value: object, spec: str) -> str:
    return value if isinstance(value, str) else format(value, spec)


def _html_row(tag: str, line: list[str]) -> str:
    """A row of cells that do not break: the first to the left, numbers to the right."""
    sides = ["left", *["right"] * (len(line) - 1)]
    cells = [
        f'<{tag} style="{LINE}{side}">{html.escape(cell)}</{tag}>'
        for side, cell in zip(sides, line, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"
