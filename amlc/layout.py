"""Paths of the pipeline's files, relative to the repository's root, as in dvc.yaml."""

from pathlib import Path

ROOT = Path()

DATA = ROOT / "data"
CODE = DATA / "code"
SYNTHETIC = DATA / "synthetic"
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
BUNDLE = DATA / "bundle"
REPORT = DATA / "report"
STUDIES = DATA / "search"

METRICS = ROOT / "metrics"
SYNTHETIC_METRICS = METRICS / "synthetic.json"
DATA_METRICS = METRICS / "data.json"
IMAGE_METRICS = METRICS / "images.json"
SCORES = METRICS / "metrics.json"
SCORE_DETAILS = METRICS / "details.json"
GUARD_METRICS = METRICS / "guards.json"

# The feature blocks.
TABULAR = FEATURES / "tabular.parquet"
TERMS = FEATURES / "terms.npz"
TOPICS = FEATURES / "topics.npy"
NEIGHBOURS = FEATURES / "neighbours.npz"
VISION = FEATURES / "vision.npy"
