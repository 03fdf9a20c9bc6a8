"""What the shards say as a whole: the failure list, the metrics and a table for people."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.compute as pc

from amlc.files import replacing
from amlc.images.outcome import OK
from amlc.images.shards import read_status

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all shards.

    Parameters
    ----------
    links : int
        Distinct links.
    ok : int
        Links with a picture.
    by_reason, by_host : Counter
        Links without one.
    """

    links: int
    ok: int
    by_reason: Counter[str]
    by_host: Counter[str]

    def metrics(self) -> dict[str, object]:
        """Return what goes to metrics/images.json: nothing that varies over one store."""
        return {
            "links": self.links,
            "ok": self.ok,
            "placeholders": self.links - self.ok,
            "failures": dict(self.by_reason),
        }

    def table(self) -> str:
        """Return lines for people."""
        lines = [f"{self.links} links, {self.ok} ok, {self.links - self.ok} placeholders"]
        for title, counts in (("reason", self.by_reason), ("host", self.by_host)):
            shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
            lines += [f"  {title:6}  {count:8}  {name}" for name, count in shown]
            if len(counts) > _SHOWN:
                lines.append(f"  {title:6}  {len(counts) - _SHOWN:8}  more of them")
        return "\n".join(lines)


def summarise(folder: Path, failures: Path) -> Summary:
    """Count what is in the shards, and list the failures in a file.

    Parameters
    ----------
    folder : Path
        The shards.
    failures : Path
        Gets one line per failure: link, reason, tries, between tabs, below a header.

    Returns
    -------
    Summary
    """
    links = failed = 0
    by_reason: Counter[str] = Counter()
    by_host: Counter[str] = Counter()
    with replacing(failures) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write("link\treason\ttries\n")
        for table in read_status(folder):
            links += table.num_rows
            for row in table.filter(pc.field("status") != OK).to_pylist():
                stream.write(f"{_one_line(row['link'])}\t{row['reason']}\t{row['tries']}\n")
                failed += 1
                by_reason[row["reason"]] += 1
                by_host[_host(row["link"])] += 1
    return Summary(links, links - failed, by_reason, by_host)


def _one_line(link: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", link)


def _host(link: str) -> str:
    try:
        return _one_line(urlsplit(link).hostname or "(none)")
    except ValueError:
        return "(none)"
