"""Write a synthetic catalogue in the competition's format, with its pictures."""

from amlc import layout, params
from amlc.errors import run
from amlc.files import write_json
from amlc.synthetic.generator import SyntheticSettings, write_catalogue


def main() -> None:
    """Write data/synthetic, its pictures and metrics/synthetic.json, and print the noise floor."""
    settings = params.load(SyntheticSettings, "synthetic")
    metrics = write_catalogue(layout.SYNTHETIC, layout.SYNTHETIC_IMAGES, params.seed(), settings)
    write_json(layout.SYNTHETIC_METRICS, metrics)
    print(
        f"synthetic: {metrics['rows']} train and {metrics['test_rows']} test rows; "
        f"the best possible SMAPE is {metrics['smape_floor']:.2f} %, "
        f"that of a constant price {metrics['smape_constant']:.2f} %"
    )


if __name__ == "__main__":
    run(main)
