"""Sphinx configuration of the book (`make book`); tools/site/make_book.py lays out its sources.

Nothing is executed.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import equations
from docutils.nodes import SkipNode

project, author, html_title = "hlgan_lib", "The hlgan_lib authors", "hlgan_lib"
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "tasklist"]
myst_heading_anchors = 3
html_theme = "furo"  # light and dark, system fonts, nothing from other hosts
html_static_path, html_css_files = ["_static"], ["book.css"]
html_copy_source, html_show_sphinx, html_show_copyright = False, False, False
html_math_renderer = "mathml"


def mathml(writer: Any, node: Any) -> None:
    """Formulas as MathML."""
    inline = node.tagname == "math"
    made = equations.mathml(node.astext(), inline=inline)
    writer.body.append(made if inline else f"<div class='math'>{made}</div>")
    raise SkipNode


def alt_texts(source: Path) -> dict[str, str]:
    """SHA-256 of each picture in the outputs of the notebooks -> its alt text."""
    found = {}
    for path in source.glob("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for kind, about in output.get("metadata", {}).items():
                    if kind in output.get("data", {}) and "alt" in about:
                        picture = base64.b64decode("".join(output["data"][kind]))
                        found[hashlib.sha256(picture).hexdigest()] = about["alt"]
    return found


def describe(app: Any, doctree: Any) -> None:
    """Alt texts of output pictures, which myst-nb leaves behind in the outputs' metadata."""
    for image in doctree.findall(lambda node: node.tagname == "image" and "alt" not in node):
        picture = Path(app.srcdir, image["uri"])
        image["alt"] = app.alt_texts.get(hashlib.sha256(picture.read_bytes()).hexdigest(), "")


def setup(app: Any) -> None:
    app.alt_texts = alt_texts(Path(app.srcdir))
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("doctree-read", describe)
