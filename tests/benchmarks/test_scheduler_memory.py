"""The memory of the scheduler by the number of links: table and growth."""

import os

from scheduler_memory import Sample, growth, megabytes, table

# It takes 20 MB to start, and then grows by 1 MB for 100 links.
SAMPLES = [
    Sample(links, (20 if links > 100 else 5) + links / 100, 200.0, 300.0)
    for links in range(0, 1001, 50)
]


def test_growth_is_that_after_the_start() -> None:
    """What it takes to start is no growth."""
    assert growth(SAMPLES, 1000) == 1000.0


def test_the_table_has_the_largest_memory_within_each_tenth() -> None:
    """Of all processes."""
    lines = table(SAMPLES, 1000).splitlines()
    assert len(lines) == 12
    assert lines[2] == "| 100 | 6 | 200 | 300 |"
    assert lines[-1] == "| 1,000 | 30 | 200 | 300 |"


def test_a_process_that_has_ended_has_no_memory() -> None:
    """Unlike this one."""
    assert megabytes(os.getpid()) > 10
    assert megabytes(2**22 + 1) == 0
