"""Write a made-up catalogue in the competition's format, with its pictures."""

from pathlib import Path

from amlc import params
from amlc.catalog.sample import SampleSettings, write_sample
from amlc.errors import run
from amlc.files import write_json


def main() -> None:
    """Write data/sample and metrics/sample.json, and print the noise floor."""
    settings = params.load(SampleSettings, "sample")
    numbers = write_sample(Path("data/sample"), params.seed(), settings)
    write_json(Path("metrics/sample.json"), numbers)
    print(
        f"{numbers['rows']} train and {numbers['test_rows']} test rows; "
        f"the best possible SMAPE is {numbers['smape_floor']:.2f} %, "
        f"a constant price has {numbers['smape_constant']:.2f} %"
    )


if __name__ == "__main__":
    run(main)
