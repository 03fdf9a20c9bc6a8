"""Collect everything that pricing a product needs in one folder."""

from amlc import layout, params
from amlc.errors import run
from amlc.files import replacing_folder
from amlc.pricing.bundle import write_bundle


def main() -> None:
    """Write data/bundle."""
    with replacing_folder(layout.BUNDLE) as folder:
        write_bundle(layout.ROOT, folder, params.read(), params.threads())
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    print(f"bundle: {len(files)} files, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    run(main)
