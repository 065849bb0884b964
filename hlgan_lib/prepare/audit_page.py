"""The audit as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

from PIL import Image

from ..data.faces import FaceSet
from ..data.pictures import to_image
from ..data.storage import load_about
from ..files import atomic, user_path
from ..text import shown
from ..viz.canvas import Figure, encode
from ..viz.charts import histograms
from . import contact
from .audit import Audit, Near, Report

N_SHOWN = 12  # pairs, the nearest
TILE = 96  # pixels a side that images are shown at
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
img { image-rendering: pixelated; vertical-align: middle }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; text-align: left;
  border-bottom: 1px solid #ccc }
figure { display: inline-block; margin: .4rem; max-width: 14rem; overflow-wrap: anywhere }
figcaption { font-size: .8rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 0 1rem }
.wide { max-width: 100% } .wide img { image-rendering: auto; max-width: 100% }
"""


def save_page(report: Report, path: str | Path) -> None:
    """Write the report as a page.

    Args:
        report: what was found.
        path: the .html file.
    """
    text = page(report)
    atomic(user_path(path), lambda file: file.write(text.encode("utf-8", "replace")))


def page(report: Report) -> str:
    """The report as HTML, its pictures inside."""
    sets = {audit.name: audit.faces for audit in report.audits}
    parts = ["<h1>Audit of " + ", ".join(map(words, sets)) + "</h1>", "<ul>"]
    parts += [f"<li>{words(line)}</li>" for line in report.sentences()]
    parts += ["</ul>", summary(report), "<h2>Light, blur and JPEG</h2>", '<div class="charts">']
    for name in report.audits[0].light:
        values = {shown(audit.name): audit.light[name] for audit in report.audits}
        alt = f"Histograms of {name} over the images of each file."
        figure = histograms(values, xlabel=name, alt=alt, range=(0, 1))
        parts.append(chart(figure, alt))
    qualities = {shown(audit.name): audit.jpeg for audit in report.audits if len(audit.jpeg)}
    if qualities:
        alt = "Histograms of the JPEG quality that the pixels show; 100 where there is no trace."
        figure = histograms(qualities, xlabel="JPEG quality", alt=alt, bins=20, range=(0, 100))
        parts.append(chart(figure, alt))
    parts.append("</div>")
    for leak in report.leaks:
        if leak.near:
            parts.append(f"<h2>{words(leak.a)} beside {words(leak.b)}</h2>")
            parts += pairs(leak.near, sets[leak.a], sets[leak.b])
    for audit in report.audits:
        parts += of_audit(audit)
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def summary(report: Report) -> str:
    """The files as a table."""
    heads = "file", "images", "size", "copies", "near pairs", "4:2:0", "hashes"
    rows = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for audit in report.audits:
        height, width = audit.faces.size
        cells = (
            words(audit.name),
            f"{len(audit.faces):,}",
            f"{width}x{height}",
            f"{sum(len(group) - 1 for group in audit.same):,}",
            f"{audit.n_near:,}",
            f"{audit.subsampled:.0%}",
            hashes_of(audit),
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


def hashes_of(audit: Audit) -> str:
    """Were the images compared with hashes? Only a FaceSet file holds some."""
    if audit.checked:
        return "as written"
    return "none" if audit.name.endswith(".npz") else "no file"


def of_audit(audit: Audit) -> list[str]:
    """What was found in one file."""
    name = words(audit.name)
    parts = [f"<h2>{name}</h2>", "<p>Evenly spaced, nothing selected:</p>"]
    sheet = Image.fromarray(contact(audit.faces.images))
    parts.append(f'<p class="wide">{picture(sheet, "images of the file")}</p>')
    if audit.same:
        parts.append("<h3>Copies, byte by byte</h3>")
        parts += [
            one(audit.faces, group[0], copies(audit, group)) for group in audit.same[:N_SHOWN]
        ]
    if audit.near:
        parts.append("<h3>Nearly the same</h3>")
        parts += pairs(audit.near, audit.faces, audit.faces)
    parts.append("<h3>Least like the others</h3><p>Look: do they belong here?</p>")
    parts += [one(audit.faces, i, words(audit.faces.names[i])) for i in audit.least]
    skipped = list(audit.faces.skipped)
    if audit.name.endswith(".npz"):
        skipped += [tuple(row) for row in load_about(audit.name).get("skipped", [])]
    if skipped:
        parts.append(f"<h3>{len(skipped):,} files were left out</h3><ul>")
        parts += [f"<li>{words(n)}: {words(why)}</li>" for n, why in skipped[:50]]
        parts.append("</ul>")
    return parts


def pairs(near: Iterable[Near], a: FaceSet, b: FaceSet) -> list[str]:
    """The nearest pairs, side by side."""
    drawn = []
    for pair in list(near)[:N_SHOWN]:
        both = tile(a, pair.a) + tile(b, pair.b)
        said = f"{words(a.names[pair.a])} and {words(b.names[pair.b])}: {pair.correlation:.3f}"
        drawn.append(f"<figure>{both}<figcaption>{said}</figcaption></figure>")
    return drawn


def copies(audit: Audit, group: list[int]) -> str:
    """The names of equal images."""
    names = [words(audit.faces.names[i]) for i in group[:3]]
    return f"{len(group)} times: {', '.join(names)}{' ...' if len(group) > 3 else ''}"


def one(faces: FaceSet, index: int, said: str) -> str:
    """An image with a line below."""
    return f"<figure>{tile(faces, index)}<figcaption>{said}</figcaption></figure>"


def tile(faces: FaceSet, index: int) -> str:
    """An image, enlarged without smoothing."""
    image = to_image(faces.images[index])
    alt = escape(shown(faces.names[index]), quote=True)
    return picture(image, alt, f' width="{TILE}" height="{TILE}"')


def picture(image: Image.Image, alt: str, more: str = "") -> str:
    """An image inside the page."""
    held = io.BytesIO()
    image.save(held, "png")
    code = base64.b64encode(held.getvalue()).decode()
    return f'<img src="data:image/png;base64,{code}" alt="{alt}"{more}>'


def chart(figure: Figure, alt: str) -> str:
    """A figure inside the page."""
    kind, content = encode(figure)
    code = base64.b64encode(content).decode()
    return f'<p class="wide"><img src="data:{kind};base64,{code}" alt="{escape(alt)}"></p>'


def words(text: str) -> str:
    """A name of a stranger's file as text of a page."""
    return escape(shown(text))
