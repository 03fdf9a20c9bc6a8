"""Put all that is needed to price a product into one folder."""

from pathlib import Path

from amlc import params
from amlc.errors import run
from amlc.files import replacing_folder
from amlc.serving.bundle import write_bundle


def main() -> None:
    """Write data/bundle."""
    with replacing_folder(Path("data/bundle")) as folder:
        write_bundle(Path("data"), folder, params.read(), params.threads())
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    print(f"bundle: {len(files)} files, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    run(main)
