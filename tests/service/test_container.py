"""The container has what the service needs, and no more."""

import asyncio
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx
import yaml
from starlette.responses import PlainTextResponse

from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer
from amlc.service.hosts import HostsMiddleware
from amlc.service.limits import Limits

ROOT = Path(__file__).parents[2]
# Without the packages that are named, prices a product as the service does.
PROGRAM = """
import sys

for name in sys.argv[2:]:
    sys.modules[name] = None
import amlc.cli
import amlc.service.server
from amlc.pricing.pricer import BundlePricer, Product
from pathlib import Path

product = Product("Item Name: Green Tea, 20 Bags")
print(BundlePricer.load(Path(sys.argv[1])).price([product], similar=1, contributions=True)[0].price)
"""
PRODUCT = Product("Item Name: Green Tea, 20 Bags")


def absent() -> list[str]:
    """Return the installed modules of distributions that the container does not have."""
    lock = (ROOT / "requirements-container.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) | {"amlc"}
    return [
        module
        for module, distributions in packages_distributions().items()
        if pinned.isdisjoint(re.sub("[-_.]+", "-", name.lower()) for name in distributions)
        # Names of files that editable installations add.
        and module.isidentifier()
    ]


def price(bundle: Path, *modules: str) -> str:
    """Return the price of a product where these modules cannot be imported."""
    command = [sys.executable, "-c", PROGRAM, str(bundle), *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_containers_may_ask_for_the_metrics() -> None:
    """Prometheus reads them by the service's name, as docs/deploy.md says."""
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    (name,) = re.findall(r"http://(\w+):8000/metrics", (ROOT / "docs/deploy.md").read_text())
    _, *allowed = services[name]["command"]
    limits = Limits(allowed_hosts=["prices.example.org", *allowed[1:]])
    app = HostsMiddleware(PlainTextResponse("metrics"), limits.allowed_hosts)
    transport = httpx.ASGITransport(app, client=("10.0.0.7", 1))

    async def statuses() -> list[int]:
        async with httpx.AsyncClient(transport=transport) as client:
            hosts = (name, "elsewhere.example.org")
            return [(await client.get(f"http://{host}:8000/metrics")).status_code for host in hosts]

    assert asyncio.run(statuses()) == [200, 421]


def test_prices_need_no_package_that_the_container_lacks(pipeline: Path) -> None:
    """They are the same, bit for bit, without DVC, Matplotlib and scikit-learn."""
    modules = absent()
    (estimate,) = BundlePricer.load(pipeline / "bundle").price([PRODUCT])
    assert {"dvc", "matplotlib", "sklearn", "pytest"} <= set(modules)
    assert price(pipeline / "bundle", *modules) == f"{estimate.price}\n"
