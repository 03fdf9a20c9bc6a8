"""The command line, as ``amlc`` and as ``python -m amlc``."""

from amlc.interrupts import end_quietly


def main() -> None:
    """Run one command."""
    end_quietly()
    # What it imports takes a second.
    from amlc.cli import main as run_command  # noqa: PLC0415 - see above

    run_command()


if __name__ == "__main__":
    main()
