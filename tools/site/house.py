"""How readable the library is, in numbers: lines, docstrings, modules without a test.

python tools/site/house.py [CHECKOUT ...]       one row a checkout, as Markdown
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
TITLES = (
    "checkout",
    "modules",
    "lines",
    "mean characters a line",
    "lines over 100",
    "comprehensions per 1,000 lines",
    "public functions of two arguments or more with Args",
    "modules without a test file of their name",
)


def measured(checkout: Path) -> dict[str, str]:
    """What TITLES name, but the first, of one checkout."""
    files = sorted((checkout / "hlgan_lib").rglob("*.py"))
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    written = [len(line) for line in lines if line.strip()]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    n_comprehensions = sum(isinstance(node, COMPREHENSIONS) for node in nodes)
    public = [node for node in nodes if isinstance(node, ast.FunctionDef) and is_public(node)]
    with_args = [node for node in public if "Args:" in (ast.get_docstring(node) or "")]
    tests = {file.name for file in (checkout / "tests").rglob("test_*.py")}
    modules = [file for file in files if not file.name.startswith("__")]
    untested = [file for file in modules if f"test_{file.name}" not in tests]
    values = (
        len(files),
        f"{len(lines):,}",
        f"{sum(written) / len(written):.0f}",
        f"{sum(n > 100 for n in written):,}",
        f"{1000 * n_comprehensions / len(lines):.0f}",
        f"{len(with_args)} of {len(public)}",
        len(untested),
    )
    return dict(zip(TITLES[1:], map(str, values), strict=True))


def is_public(function: ast.FunctionDef) -> bool:
    """A documented function of two arguments or more whose name has no underscore in front."""
    arguments = [a.arg for a in function.args.args + function.args.kwonlyargs]
    n_own = len([a for a in arguments if a not in ("self", "cls", "ctx")])
    documented = ast.get_docstring(function) is not None
    return documented and n_own >= 2 and not function.name.startswith("_")


def main() -> None:
    """One row a checkout; the one that this file lies in by default."""
    checkouts = [Path(a) for a in sys.argv[1:]] or [Path(__file__).resolve().parents[2]]
    print(f"| {' | '.join(TITLES)} |")
    print("|---" * len(TITLES) + "|")
    for checkout in checkouts:
        print(f"| {checkout.resolve().name} | {' | '.join(measured(checkout).values())} |")


if __name__ == "__main__":
    main()
