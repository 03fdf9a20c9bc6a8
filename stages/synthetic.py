"""Write a made-up catalogue in the competition's format, with its pictures."""

from amlc import layout, params
from amlc.errors import run
from amlc.files import write_json
from amlc.synthetic.generator import SyntheticSettings, write_catalogue


def main() -> None:
    """Write data/synthetic and metrics/synthetic.json, and print the noise floor."""
    settings = params.load(SyntheticSettings, "synthetic")
    numbers = write_catalogue(layout.SYNTHETIC, params.seed(), settings)
    write_json(layout.SYNTHETIC_METRICS, numbers)
    print(
        f"{numbers['rows']} train and {numbers['test_rows']} test rows; "
        f"the best possible SMAPE is {numbers['smape_floor']:.2f} %, "
        f"a constant price has {numbers['smape_constant']:.2f} %"
    )


if __name__ == "__main__":
    run(main)
