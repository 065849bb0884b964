"""What every test has: one torch thread (same results everywhere, workers side by side), no preset from outside."""

import hashlib
import os

os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("HLGAN_PRESET", None)
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch, request):
    """A cache of features for each test, made when it is used."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("HLGAN_CACHE", str(tmp_path_factory.getbasetemp() / "cache" / name))


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
