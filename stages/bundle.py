"""Collect everything that pricing a product needs in one folder."""

from amlc import layout, params
from amlc.errors import run
from amlc.files import replacing_folder, write_text
from amlc.pricing.bundle import write_bundle
from amlc.report.model_card import model_card


def main() -> None:
    """Write data/bundle, with its model card."""
    with replacing_folder(layout.BUNDLE) as folder:
        write_text(folder / "README.md", model_card())
        write_bundle(layout.ROOT, folder, params.read())
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    print(f"bundle: {len(files)} files, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    run(main)
