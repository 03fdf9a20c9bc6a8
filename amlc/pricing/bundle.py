"""The bundle: all that is needed to price a product, in one folder."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from pydantic import Field

from amlc.catalog.products import read_products, train_rows
from amlc.errors import CheckError, DataError, ModelError, ParamsError
from amlc.features.blocks import read_terms
from amlc.features.tabular import TabularFeatures
from amlc.features.text.neighbours import NeighbourIndex, NeighboursSettings
from amlc.features.text.tfidf import TermFeatures
from amlc.features.text.weight_table import WeightTable
from amlc.features.vision.block import VisionSettings
from amlc.files import write_text
from amlc.images.shards import read_rows
from amlc.models.base import Regressor
from amlc.models.blend import Blend
from amlc.models.predictions import PREDICTIONS
from amlc.models.registry import regressor
from amlc.params import Settings, check
from amlc.pricing.manifest import verified, write_manifest
from amlc.pricing.train_products import Catalogue, write_train_products

# What of params.yaml a bundle was made with, and of that what pricing reads.
PARAMS = (
    "seed",
    "data.max_text",
    "images.size",
    "images.quality",
    "images.max_bytes",
    "images.max_pixels",
    "tabular",
    "terms",
    "neighbours",
    "vision",
    "topics",
    "train",
    "blend",
)
# Of a model's folder, what its predictions need not.
_LEFT_OUT = frozenset({PREDICTIONS, "curve.csv", "importance.csv"})

# What reading files raises that are not what they were.
_UNFIT = (DataError, ParamsError, OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile)


class PictureSettings(Settings):
    """What of the section `images` is needed to check and reduce one picture."""

    size: int = Field(ge=16, le=1024)
    quality: int = Field(ge=50, le=95)
    max_bytes: int = Field(ge=1_000, le=100_000_000)
    max_pixels: int = Field(ge=10_000, le=89_000_000)


class TextSettings(Settings):
    """What of the section `data` is needed to check one text."""

    max_text: int = Field(ge=1)


def write_bundle(data: Path, folder: Path, params: Mapping[str, Any], threads: int) -> None:
    """Write a bundle of what the pipeline has made.

    Parameters
    ----------
    data : Path
        The pipeline's folder ``data``.
    folder : Path
        Where to; it exists and is empty.
    params : mapping
        The content of params.yaml.
    threads : int
        Pictures worked on at once.

    Raises
    ------
    AmlcError
        Something that the pipeline makes is missing or broken.
    """
    products = read_products(data / "products.parquet")
    train = train_rows(products)
    if (train != np.arange(len(train))).any():
        raise CheckError("data/products.parquet: train rows do not come first; run prepare again")
    # Not sorted by key: the order of the groups of terms is that of their columns.
    text = json.dumps(_chosen(params), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "params.json", text + "\n")
    _copy_fitted(data, folder)
    settings = NeighboursSettings.model_validate(params["neighbours"])
    terms = read_terms(data / "features" / "terms.npz")[train]
    NeighbourIndex.build(terms, settings).save(folder / "neighbours")
    del terms
    images = read_rows(data / "images")
    write_train_products(folder / "products", products.iloc[train], images, threads)
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


def _copy_fitted(data: Path, folder: Path) -> None:
    blend = data / "blend" / "blend.json"
    names = _members(Blend.load(blend))
    try:
        shutil.copyfile(blend, folder / "blend.json")
        # By name: what another version has left beside them is none of the bundle's.
        (folder / "encoders").mkdir()
        shutil.copyfile(data / "encoders" / "tabular.json", folder / "encoders" / "tabular.json")
        for name in ("terms", "topics"):
            place = folder / "encoders" / name
            shutil.copytree(
                data / "encoders" / name, place, copy_function=shutil.copyfile, ignore=_hidden
            )
        for name in names:
            place = folder / "models" / name
            shutil.copytree(
                data / "models" / name, place, copy_function=shutil.copyfile, ignore=_unneeded
            )
    except (OSError, shutil.Error) as error:
        raise ModelError(f"{data}: cannot be copied: {error}; run dvc repro") from None


def _hidden(_: str, names: list[str]) -> set[str]:
    """Return git's own files, which DVC writes beside its outputs."""
    return {name for name in names if name.startswith(".")}


def _unneeded(folder: str, names: list[str]) -> set[str]:
    return _hidden(folder, names) | _LEFT_OUT.intersection(names)


def _members(blend: Blend) -> list[str]:
    """Return the models that count."""
    return [name for name, weight in blend.weights.items() if weight > 0]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory, or mapped into it.

    Parameters
    ----------
    version : str
        The first 12 hexadecimal digits of its manifest's SHA-256.
    text, picture, vision, neighbours : Settings
        What it was made with.
    coverage : float
        Share of the prices that an interval should hold.
    tabular, terms, topics, index
        The fitted features.
    models : dict of str to Regressor
        Those that count in the blend.
    blend : Blend
        Of all models, those without weight included.
    catalogue : Catalogue
        The train products, in the order of the index.
    """

    version: str
    text: TextSettings
    picture: PictureSettings
    vision: VisionSettings
    neighbours: NeighboursSettings
    coverage: float
    tabular: TabularFeatures
    terms: TermFeatures
    topics: WeightTable
    index: NeighbourIndex
    models: dict[str, Regressor]
    blend: Blend
    catalogue: Catalogue

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Check a bundle's files against its manifest, then load it.

        Raises
        ------
        ModelError
            It is no bundle, was made by another version, is damaged, or does not fit together.
        """
        with verified(folder) as version:
            _import_libraries()
        try:
            return cls(version=version, **_parts(folder))
        except _UNFIT as error:
            raise ModelError(f"{folder}: does not fit together: {error}") from None


def _parts(folder: Path) -> dict[str, Any]:
    path = folder / "params.json"
    params = json.loads(path.read_text(encoding="utf-8"))
    blend = Blend.load(folder / "blend.json")
    return {
        "text": check(TextSettings, params["data"], "data", path),
        "picture": check(PictureSettings, params["images"], "images", path),
        "vision": check(VisionSettings, params["vision"], "vision", path),
        "neighbours": check(NeighboursSettings, params["neighbours"], "neighbours", path),
        "coverage": float(params["blend"]["coverage"]),
        "tabular": TabularFeatures.load(folder / "encoders" / "tabular.json"),
        "terms": TermFeatures.load(folder / "encoders" / "terms"),
        "topics": WeightTable.load(folder / "encoders" / "topics"),
        "index": NeighbourIndex.load(folder / "neighbours"),
        "models": {
            name: regressor(name).load(folder / "models" / name) for name in _members(blend)
        },
        "blend": blend,
        "catalogue": Catalogue.load(folder / "products"),
    }


def _import_libraries() -> None:
    """Import what models usually need; it takes as long as hashing their files."""
    for name in ("lightgbm", "xgboost"):
        regressor(name)
