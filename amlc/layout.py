"""Paths of the pipeline's files, relative to the repository's root, as in dvc.yaml; the store."""

import os
from pathlib import Path

import platformdirs

ROOT = Path()

DATA = ROOT / "data"
CODE = DATA / "code"
SYNTHETIC = DATA / "synthetic"
SYNTHETIC_IMAGES = DATA / "synthetic_images"
PRODUCTS = DATA / "products.parquet"
REJECTED = DATA / "rejected.csv"
IMAGES = DATA / "images"
FAILED_IMAGES = DATA / "failed_images.txt"
ENCODERS = DATA / "encoders"
FEATURES = DATA / "features"
INPUTS = DATA / "inputs"
MODELS = DATA / "models"
BLEND = DATA / "blend"
SUBMISSION = DATA / "submission.csv"
TRAIN_PRODUCTS = DATA / "train_products"
BUNDLE = DATA / "bundle"
REPORT = DATA / "report"
STUDIES = DATA / "search"
EXPERIMENTS = DATA / "experiments"

METRICS = ROOT / "metrics"
SYNTHETIC_METRICS = METRICS / "synthetic.json"
DATA_METRICS = METRICS / "data.json"
IMAGE_METRICS = METRICS / "images.json"
SCORES = METRICS / "metrics.json"
SCORE_DETAILS = METRICS / "details.json"
GUARD_METRICS = METRICS / "guards.json"
ENCODER_METRICS = METRICS / "encoders.json"

# The feature blocks.
TABULAR = FEATURES / "tabular.parquet"
TERMS = FEATURES / "terms.npz"
TOPICS = FEATURES / "topics.npy"
NEIGHBOURS = FEATURES / "neighbours.npz"
VISION = FEATURES / "vision.npy"
# One block for each pretrained encoder; its weights.
ENCODED = FEATURES / "encoders"
PRETRAINED = ENCODERS / "pretrained"


def store() -> Path:
    """Return the folder outside the repository: the one that `AMLC_STORE` names, or a cache."""
    folder = os.environ.get("AMLC_STORE")
    if not folder:
        # With `opinion`, there would be a further folder "Cache" on Windows.
        folder = platformdirs.user_cache_dir("amlc", appauthor=False, opinion=False)
    return Path(folder)
