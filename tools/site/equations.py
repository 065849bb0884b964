"""Formulas of pages as MathML, which browsers draw and screen readers read.

No script, no fonts, no connection.
"""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

CODE = re.compile(r"(<pre\b.*?</pre>|<code\b.*?</code>)", re.S)
BLOCK, INLINE = re.compile(r"\$\$(.+?)\$\$", re.S), re.compile(r"\$([^$]+?)\$")


def mathml(tex: str, *, inline: bool) -> str:
    """One formula."""
    tex = tex.replace(r"\_", "_")  # the converter takes the backslash in \text for itself
    for bar in (r"\lVert", r"\rVert"):
        tex = tex.replace(bar, r"\|")
    return convert(tex, display="inline" if inline else "block")


def drawn(rendered: str) -> str:
    """A markdown cell as HTML, its $formulas$ and $$formulas$$ as MathML; code stays."""
    parts = CODE.split(rendered)
    for i in range(0, len(parts), 2):  # the odd ones are code
        for pattern in (BLOCK, INLINE):
            parts[i] = pattern.sub(
                lambda m, inline=pattern is INLINE: mathml(html.unescape(m[1]), inline=inline),
                parts[i],
            )
    return "".join(parts)
