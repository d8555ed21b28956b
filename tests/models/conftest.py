import jax
import pytest


@pytest.fixture(autouse=True)
def strict_promotion():
    """The models mix no dtypes."""
    with jax.numpy_dtype_promotion("strict"):
        yield
