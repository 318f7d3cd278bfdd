"""The examples in the docstrings of the SDK run."""

import doctest
import importlib
import pkgutil

import pytest

import assay

MODULES = [name for _, name, is_package in pkgutil.iter_modules(assay.__path__) if not is_package]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(f"assay.{name}")
    assert doctest.testmod(module).failed == 0
