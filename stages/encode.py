"""Encode texts and pictures with the pretrained encoders that params.yaml names."""

from pathlib import Path

from amlc import layout, params
from amlc.catalog.products import iter_texts, read_links
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.encoders.runtime import deterministic, require_deep
from amlc.features.encoders.settings import EncoderSettings, read_encoders
from amlc.files import replacing_folder, write_json


def main() -> None:
    """Write a block and the weights of each encoder; without encoders, two empty folders."""
    encoders = read_encoders()
    if encoders:
        require_deep(f"encoders.{next(iter(encoders))}")
    with (
        replacing_folder(layout.ENCODED) as blocks,
        replacing_folder(layout.PRETRAINED) as weights,
    ):
        metrics = {name: _encode(name, encoders[name], blocks, weights) for name in encoders}
        # DVC loses empty folders.
        for folder in (blocks, weights):
            write_json(folder / "encoders.json", sorted(encoders))
    write_json(layout.ENCODER_METRICS, metrics)
    if not encoders:
        print("encode: params.yaml names no encoders")


def _encode(name: str, settings: EncoderSettings, blocks: Path, weights: Path) -> dict[str, object]:
    # Not where there are no encoders: PyTorch takes seconds to import, and may not be installed.
    from amlc.features.encoders import block, remote, store  # noqa: PLC0415
    from amlc.features.encoders.frozen import FrozenEncoder, save_encoder  # noqa: PLC0415

    executor = params.load(ExecutorSettings, "executor")
    with deterministic(params.threads()) as device, open_backend(executor) as backend:
        encoder = FrozenEncoder.load(settings, device, params.threads())
        there = remote.encoder_on(backend, encoder)
        with store.VectorStore(store.default_path(), encoder.key(), encoder.width) as vectors:
            if settings.kind == "text":
                texts = list(iter_texts(layout.PRODUCTS))
                dense = block.encode_texts(texts, there, vectors, name)
            else:
                links = read_links(layout.PRODUCTS)
                dense = block.encode_pictures(links, layout.IMAGES, there, vectors, name)
        save_encoder(encoder, weights / name)
    dense.write(blocks / f"{name}.npy")
    rows, missing = len(dense.array), int(dense.array[:, 0].sum())
    print(f"encode: {name}: {rows} rows, {encoder.width} wide, {missing} without {settings.kind}")
    if vectors.damaged or vectors.replaced:
        print(f"encode: {name}: the store was damaged; what was lost is encoded again")
    return {
        "missing": missing,
        "revision": encoder.source.revision,
        "rows": rows,
        "sha256": encoder.source.sha256(),
        "width": encoder.width,
    }


if __name__ == "__main__":
    run(main)
