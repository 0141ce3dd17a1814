"""What all tests share: hypothesis profiles, slow tests left out, a clean backend, mode and seed for each."""

import os

import pytest
from hypothesis import HealthCheck, settings

import minigen as mg
from minigen import backend
from minigen.graph.tape import mode

REPEATABLE = {"derandomize": True, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=20, **REPEATABLE)
settings.register_profile("ci", max_examples=20, **REPEATABLE)
settings.register_profile("thorough", max_examples=200, **REPEATABLE)
# --hypothesis-profile=thorough, or HYPOTHESIS_PROFILE=thorough
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(config, items):
    """Leave slow tests out, unless -m names them."""
    if "slow" not in config.getoption("-m"):
        skip = pytest.mark.skip(reason="takes minutes; run with -m slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def clean_slate():
    """Every test starts from seed 0, recording, without observers, and leaves the backend as it was."""
    name = backend.current()
    before = mode.recording, mode.observers, mode.step_observers
    mg.seed(0)
    yield
    mode.recording, mode.observers, mode.step_observers = before
    if backend.current() != name:
        mg.use(name)
