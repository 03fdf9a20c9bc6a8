"""The command line, as ``python -m amlc``."""

from amlc.cli import main

if __name__ == "__main__":
    main()
