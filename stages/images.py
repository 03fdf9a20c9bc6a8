"""Get one checked picture for each distinct image link of the product table."""

from amlc import layout, params
from amlc.catalog.products import read_links
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.files import replacing_folder, write_json
from amlc.images.download import download
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.images.shards import check_links, summarise
from amlc.images.store import default_path


def main() -> None:
    """Write the image shards, the list of failures and the counts."""
    settings = params.load(ImageSettings, "images")
    fetching = params.load(FetchSettings, "fetching")
    links = list(dict.fromkeys(link for links in read_links(layout.PRODUCTS) for link in links))
    with (
        open_backend(params.load(ExecutorSettings, "executor")) as backend,
        replacing_folder(layout.IMAGES) as folder,
    ):
        download(links, settings, fetching, default_path(), folder, backend)
        check_links(folder, links)
    summary = summarise(layout.IMAGES, layout.FAILED_IMAGES)
    write_json(layout.IMAGE_METRICS, summary.metrics())
    print(summary.table())


if __name__ == "__main__":
    run(main)
