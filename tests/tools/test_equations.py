"""Formulas as MathML: in the book, and in the pages of `make run`."""

import logging
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("latex2mathml", reason='pip install "hlgan_lib[book]"')
TOOLS = Path(__file__).resolve().parents[2] / "tools" / "site"
sys.path.insert(0, str(TOOLS))
import check_site  # noqa: E402
import equations  # noqa: E402
import nbformat  # noqa: E402
import run_notebooks  # noqa: E402

NOTEBOOKS = sorted(TOOLS.parents[1].glob("notebooks/[0-9][0-9]*_*.ipynb"))


def test_formulas_are_drawn_and_code_and_lone_dollars_stay():
    text = "<p>$x &lt; 1$ costs 5$ <code>$a$</code></p><pre>$b$</pre>\n<p>$$\nD(x)\n$$</p>"
    drawn = equations.drawn(text)
    inline, block = re.findall(r"<math.*?</math>", drawn, re.S)
    assert 'display="inline"' in inline and "&#x0003C;" in inline and 'display="block"' in block
    assert "costs 5$" in drawn and "<code>$a$</code>" in drawn and "<pre>$b$</pre>" in drawn


def test_underscores_and_norms_are_what_they_say():
    made = equations.mathml(r"\lVert \text{lo\_fake} \rVert", inline=True)
    assert "lo_fake" in made and "\\" not in made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_page_of_make_run_shows_its_formulas_offline(path):
    nb = nbformat.read(path, as_version=4)
    asked = [c.source for c in nb.cells if c.cell_type == "markdown"]
    n_formulas = sum(
        len(equations.INLINE.findall(equations.BLOCK.sub("$x$", _without_code(text))))
        for text in asked
    )
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    text = run_notebooks.page(nb, run_notebooks.Report(path.stem, path.stem))
    page = check_site.Page(text)
    assert len(re.findall("<math ", text)) == n_formulas
    assert [at for at in page.loads if not at.startswith("data:")] == []
    assert text.count(run_notebooks.BREAKS) == 1, "printed lines would break inside words"
    assert "cdnjs" not in text and not re.search(r"""import .*["']https?:""", text)


def _without_code(text):
    return re.sub(r"`[^`]*`", "", text)


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)
