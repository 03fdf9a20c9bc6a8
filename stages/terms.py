"""Turn the catalogue text into TF-IDF terms."""

from amlc import layout, params
from amlc.catalog.products import TRAIN, iter_texts
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.csr_file import write_csr_parts
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.files import replacing_folder


def main() -> None:
    """Fit on the train rows and transform all rows; write the block and its encoder."""
    settings = params.load(TermsSettings, "terms")
    features = TermFeatures(settings).fit(iter_texts(layout.PRODUCTS, TRAIN))
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        parts = features.transform_parts(iter_texts(layout.PRODUCTS), backend=backend)
        (rows, count), entries = write_csr_parts(layout.TERMS, parts)
    with replacing_folder(layout.ENCODERS / "terms") as folder:
        features.save(folder)
    for name, vocabulary in features.vocabularies.items():
        if not vocabulary.terms:
            print(f"terms: {name}: no term is in enough train texts, so it has no columns")
    print(f"terms: {rows} rows, {count} terms, {entries / max(rows, 1):.0f} per row")


if __name__ == "__main__":
    run(main)
