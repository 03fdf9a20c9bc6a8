"""Write the generated parts of README.md and docs: `python -m tools.docs`.

Such a part stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; `tools.parts`
makes it from the committed metrics, benchmarks/results, dvc.yaml and the code.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from amlc.errors import DataError, run
from amlc.files import write_text
from tools.parts import PARTS, Part

PART = re.compile(r"<!-- generated: (\w+) -->\n.*?<!-- end: \1 -->", re.DOTALL)
PAGES: dict[str, tuple[str, ...]] = {
    "README.md": ("score", "headline"),
    "docs/cluster.md": (
        "scale",
        "scale_simulation",
        "executors",
        "killed_workers",
        "scheduler_memory",
    ),
    "docs/data.md": ("row_errors",),
    "docs/design.md": ("graph", "stages"),
    "docs/images.md": ("download",),
    "docs/results.md": (
        *("synthetic", "real", "peers", "costco", "fresh_basket"),
        *("features", "features_network", "losses"),
        *("extrapolation", "cost", "learning_curve", "guards", "held_out"),
    ),
    "docs/serving.md": ("limits", "serve"),
}


def render(page: str, text: str, root: Path, parts: Mapping[str, Part] = PARTS) -> str:
    """Return a page with its generated parts up to date.

    Parameters
    ----------
    page : str
        A key of `PAGES`.
    text : str
        The page as it is.
    root : Path
        The repository's root.
    parts : mapping of str to callable
        The function that makes each part.

    Raises
    ------
    DataError
        The page lacks a part, has one twice or has one that is not its own, or a file that a part
        is made from is missing.
    """
    names = PART.findall(text)
    if sorted(names) != sorted(PAGES[page]):
        raise DataError(
            f"{page}: expected the parts {', '.join(PAGES[page])}, each once, "
            f"got {', '.join(names) or 'none'}"
        )
    return PART.sub(
        lambda match: (
            f"<!-- generated: {match[1]} -->\n{parts[match[1]](root)}\n<!-- end: {match[1]} -->"
        ),
        text,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite the pages in the current folder."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    for page in PAGES:
        path = Path(page)
        text = path.read_text(encoding="utf-8")
        rendered = render(page, text, Path())
        write_text(path, rendered)
        print(f"{page}: {'up to date' if rendered == text else 'rewritten'}")


if __name__ == "__main__":
    run(main)
