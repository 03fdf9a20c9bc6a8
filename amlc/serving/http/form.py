"""Fields of a product to catalogue text; the other way is `amlc.catalog.content.parse`."""

from amlc.catalog.content import Content


def to_text(content: Content) -> str:
    r"""Write a product's fields as one catalog_content.

    Parameters
    ----------
    content : Content
        Line ends inside a field become blanks, so that no field can be taken for another.

    Returns
    -------
    str
        What the catalogue would say: a missing value is ``nan``, a missing unit ``None``, a
        single bullet has no number. Empty where every field is.

    Examples
    --------
    >>> to_text(Content("Tea", ("Black",), "", 20.0, "Count"))
    'Item Name: Tea\nBullet Point: Black\nValue: 20.0\nUnit: Count\n'
    """
    bullets = [line for line in map(_one_line, content.bullets) if line]
    description = _one_line(content.description)
    title, unit = _one_line(content.title), _one_line(content.unit)
    if not (title or bullets or description or unit or content.value is not None):
        return ""
    lines = [f"Item Name: {title}", *_bullet_lines(bullets)]
    if description:
        lines.append(f"Product Description: {description}")
    value = "nan" if content.value is None else repr(content.value)
    return "\n".join([*lines, f"Value: {value}", f"Unit: {unit or None}", ""])


def _bullet_lines(bullets: list[str]) -> list[str]:
    if len(bullets) == 1:
        return [f"Bullet Point: {bullets[0]}"]
    return [f"Bullet Point {number}: {text}" for number, text in enumerate(bullets, 1)]


def _one_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return " ".join(line for line in lines if line)
