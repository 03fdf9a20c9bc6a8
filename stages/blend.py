"""Learn the blend of the models from their out-of-fold predictions."""

from amlc import layout, params
from amlc.catalog.products import ID, PRICE, read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import Blocks
from amlc.models.blend_fitting import BlendSettings, blend_members
from amlc.models.predictions import read_predictions, remove_others
from amlc.models.registry import members


def main() -> None:
    """Write the weights and the blended predictions; those of train rows are cross-fitted."""
    names = members(params.value("models"))
    remove_others(layout.MODELS, names)
    settings = params.load(BlendSettings, "blend")
    products = read_products(layout.PRODUCTS, [ID, PRICE, "split", "group", "fold"])
    predictions = {name: read_predictions(layout.MODELS / name, products) for name in names}
    spread = None
    if params.value("spread") is not None:
        # Imports LightGBM, which takes longer than all that comes before.
        from amlc.models.spread import SpreadFitter, SpreadSettings  # noqa: PLC0415 - see above

        widths, train = params.load(SpreadSettings, "spread"), train_rows(products)
        blocks = Blocks.read(layout.FEATURES, widths.blocks)
        groups = products["group"].to_numpy()[train]
        spread = SpreadFitter(widths, blocks, train, groups, params.seed())
    blended = blend_members(predictions, products, settings, spread)
    blended.save(layout.BLEND, products)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in blended.blend.weights.items())
    print(f"blend: SMAPE {blended.smape:.2f} cross-fitted ({weights})")


if __name__ == "__main__":
    run(main)
