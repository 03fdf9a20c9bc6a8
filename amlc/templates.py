"""The templates of the pages."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def template_environment(folder: Path) -> Environment:
    """Return the environment of a folder's templates.

    Parameters
    ----------
    folder : Path
        A folder of this package.

    Returns
    -------
    Environment
        It escapes every value that is not `markupsafe.Markup`, and a name without a value is an
        error.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
