"""The bundle: everything that pricing a product needs, in one folder."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from amlc import layout
from amlc.catalog.products import read_products, train_rows
from amlc.errors import CheckError, DataError, ModelError, ParamsError, read_errors_as
from amlc.features.blocks import Terms
from amlc.features.csr_file import rows_of
from amlc.features.tabular import TabularFeatures
from amlc.features.text.neighbour_index import NeighbourIndex, NeighboursSettings
from amlc.features.text.tfidf import TermFeatures
from amlc.features.text.weight_table import WeightTable
from amlc.features.vision.block import VisionSettings
from amlc.files import write_text
from amlc.images.settings import PictureSettings
from amlc.models.base import Regressor
from amlc.models.blend import SPREAD, Blend
from amlc.models.predictions import CURVES, PREDICTIONS, read_settings
from amlc.models.registry import regressor
from amlc.params import check
from amlc.pricing.catalog_settings import CatalogSettings
from amlc.pricing.encoders import FOLDER, BundleEncoders, used_encoders
from amlc.pricing.manifest import verified, write_manifest
from amlc.pricing.train_products import TrainProducts

if TYPE_CHECKING:
    from amlc.models.spread import Spread

# The keys of params.yaml that a bundle keeps, to price as the pipeline did.
PARAMS = (
    "seed",
    "data.columns",
    "data.max_bytes",
    "data.max_text",
    "data.rates",
    "data.read",
    "images.size",
    "images.quality",
    "images.max_bytes",
    "images.max_pixels",
    "images.max_side",
    "images.min_side",
    "tabular",
    "terms",
    "neighbours",
    "vision",
    "topics",
    "encoders",
    "blend",
)
# What pricing does not need of a folder, or DVC writes beside its outputs.
_UNNEEDED = shutil.ignore_patterns(".*", PREDICTIONS, *CURVES.values(), "importance.csv")


def write_bundle(root: Path, folder: Path, params: Mapping[str, Any]) -> None:
    """Write a bundle from the outputs of the pipeline.

    Parameters
    ----------
    root : Path
        The repository's root, whose ``data`` the pipeline has written.
    folder : Path
        An existing folder to write to; what is in it becomes a part of the bundle.
    params : mapping
        The content of params.yaml.

    Raises
    ------
    AmlcError
        An output of the pipeline is missing or broken.
    """
    train = train_rows(read_products(root / layout.PRODUCTS, ["split"]))
    if (train != np.arange(len(train))).any():
        raise CheckError(f"{layout.PRODUCTS}: train rows do not come first; run prepare again")
    # Not sorted by key: the groups of terms are in the order of their columns.
    blend = Blend.load(root / layout.BLEND / "blend.json")
    # The settings that the models were fitted with, not those for a later run.
    chosen = {**_chosen(params), "train": read_settings(root / layout.MODELS, blend.weights)}
    text = json.dumps(chosen, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "params.json", text + "\n")
    _copy_fitted(root, folder, chosen, blend)
    settings = NeighboursSettings.model_validate(params["neighbours"])
    terms = rows_of(Terms.read(root / layout.TERMS).weights, train)
    NeighbourIndex.build(terms, settings).save(folder / "neighbours")
    write_manifest(folder)


def _chosen(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of params.yaml that `PARAMS` names."""
    chosen: dict[str, Any] = {}
    for key in PARAMS:
        section, _, name = key.partition(".")
        if section not in params or (name and name not in params[section]):
            raise ParamsError(f"params.yaml: missing key {key}")
        if name:
            chosen.setdefault(section, {})[name] = params[section][name]
        else:
            chosen[section] = params[section]
    return chosen


def _copy_fitted(root: Path, folder: Path, params: Mapping[str, Any], blend: Blend) -> None:
    path, encoders = root / layout.BLEND / "blend.json", root / layout.ENCODERS
    names = _members(blend)
    try:
        shutil.copyfile(path, folder / "blend.json")
        if blend.scaled:
            _copy(root / layout.BLEND / SPREAD, folder / SPREAD)
        # Each by its name, because another version may have left other files beside them.
        (folder / "encoders").mkdir()
        shutil.copyfile(encoders / "tabular.json", folder / "encoders" / "tabular.json")
        for name in ("terms", "topics"):
            _copy(encoders / name, folder / "encoders" / name)
        _copy(root / layout.TRAIN_PRODUCTS, folder / "products")
        for name in used_encoders(params, names):
            _copy(root / layout.PRETRAINED / name, folder / FOLDER / name)
        for name in names:
            _copy(root / layout.MODELS / name, folder / "models" / name)
    except (OSError, shutil.Error) as error:
        raise ModelError(
            f"{root / layout.DATA}: cannot be copied: {error}; run dvc repro"
        ) from None


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=_UNNEEDED)


def _members(blend: Blend) -> list[str]:
    """Return the models that have weight in a blend."""
    return [name for name, weight in blend.weights.items() if weight > 0]


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle; large arrays are mapped into memory.

    Parameters
    ----------
    version : str
        The first 12 hexadecimal digits of its manifest's SHA-256.
    catalog, picture, vision, neighbours : Settings
        The settings that it was made with.
    coverage : float
        Share of the prices that an interval should contain.
    tabular : TabularFeatures
    terms : TermFeatures
    topics : WeightTable
        The fitted encoders.
    index : NeighbourIndex
        The terms of the train products, in which similar products are looked up.
    models : dict of str to Regressor
        The models that have weight in the blend.
    encoders : BundleEncoders
        The pretrained encoders that these models see.
    blend : Blend
        The blend of all models, those without weight included.
    spread : Spread, optional
        Predicts how wide an interval is; None if all products of a price band have the same.
    train_products : TrainProducts
        The train products, in the order of the index.
    """

    version: str
    catalog: CatalogSettings
    picture: PictureSettings
    vision: VisionSettings
    neighbours: NeighboursSettings
    coverage: float
    tabular: TabularFeatures
    terms: TermFeatures
    topics: WeightTable
    index: NeighbourIndex
    models: dict[str, Regressor]
    encoders: BundleEncoders
    blend: Blend
    spread: "Spread | None"
    train_products: TrainProducts

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Check a bundle's files against its manifest, then load it.

        Raises
        ------
        ModelError
            The folder is not a bundle, was made by another version, is damaged, or has files that
            do not fit together.
        """
        with verified(folder) as version:
            # Importing the libraries of the usual models takes about as long as the hashes.
            for name in ("lightgbm", "xgboost"):
                regressor(name)
        message = f"{folder}: the files do not fit together"
        with read_errors_as(ModelError, message, DataError, ParamsError):
            return cls(version=version, **_parts(folder))


def _spread(folder: Path) -> "Spread":
    # Imports LightGBM, for which `Bundle.load` has a better moment than the start of the process.
    from amlc.models.spread import Spread  # noqa: PLC0415 - see above

    return Spread.load(folder / SPREAD)


def _parts(folder: Path) -> dict[str, Any]:
    path = folder / "params.json"
    params = json.loads(path.read_text(encoding="utf-8"))
    blend = Blend.load(folder / "blend.json")
    members = _members(blend)
    return {
        "catalog": check(CatalogSettings, params["data"], "data", path),
        "picture": check(PictureSettings, params["images"], "images", path),
        "vision": check(VisionSettings, params["vision"], "vision", path),
        "neighbours": check(NeighboursSettings, params["neighbours"], "neighbours", path),
        "coverage": float(params["blend"]["coverage"]),
        "tabular": TabularFeatures.load(folder / "encoders" / "tabular.json"),
        "terms": TermFeatures.load(folder / "encoders" / "terms"),
        "topics": WeightTable.load(folder / "encoders" / "topics"),
        "index": NeighbourIndex.load(folder / "neighbours"),
        "models": {name: regressor(name).load(folder / "models" / name) for name in members},
        "encoders": BundleEncoders.load(folder, params, members, os.cpu_count() or 1),
        "blend": blend,
        "spread": _spread(folder) if blend.scaled else None,
        "train_products": TrainProducts.load(folder / "products"),
    }
