"""The names that other people's tests import: today's, and those of version 1.0 with a warning."""

import importlib
import sys

import pytest

import fake_provider
from fake_provider import RunningProvider
from fake_provider.faults.fault import Fault

OLD_METHODS = [
    ("break_next", "inject_fault", ["token"], {"status": 500}, True),
    ("mend", "clear_faults", [], {}, False),
]


def test_offers_three_names():
    """`__all__` lists the public names, and each of them can be imported."""
    assert fake_provider.__all__ == ["RunningProvider", "free_port", "serve"]
    assert all(getattr(fake_provider, name).__module__ == "fake_provider.launcher" for name in fake_provider.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """A misspelled name is refused as in any other module; a known one is the control."""
    with pytest.raises(AttributeError, match="'fake_provider' has no attribute 'Servant'"):
        fake_provider.Servant  # noqa: B018 - the access itself is tested
    with pytest.raises(AttributeError, match="'RunningProvider' object has no attribute 'repair'"):
        RunningProvider("127.0.0.1", 9).repair  # noqa: B018 - the access itself is tested
    with pytest.raises(AttributeError, match=r"'fake_provider\.faults' has no attribute 'Default'"):
        importlib.import_module("fake_provider.faults").Default  # noqa: B018 - the access itself is tested

    assert fake_provider.serve


def test_the_class_keeps_its_old_name():
    """`fake_provider.Provider` is RunningProvider, with a warning that names it."""
    with pytest.warns(DeprecationWarning, match=r"fake_provider\.Provider is now fake_provider\.RunningProvider\. "):
        old = fake_provider.Provider

    assert old is RunningProvider


def test_the_module_keeps_its_old_name():
    """`fake_provider.server` has the names of launcher, with a warning at the line that imports it."""
    sys.modules.pop("fake_provider.server", None)
    with pytest.warns(DeprecationWarning, match=r"fake_provider\.server is now fake_provider\.launcher\. ") as warned:
        from fake_provider.server import Provider, free_port, serve, stop  # noqa: F401 - the import itself is tested

    assert warned[0].filename == __file__
    assert (Provider, serve) == (RunningProvider, fake_provider.serve)


def test_fault_keeps_its_old_place():
    """`fake_provider.faults.Fault` is the class in faults/fault.py, with a warning at the line that uses it."""
    with pytest.warns(DeprecationWarning, match=r"is now fake_provider\.faults\.fault\.Fault\. ") as warned:
        from fake_provider.faults import Fault as OldFault

    assert OldFault is Fault
    assert warned[-1].filename == __file__


@pytest.mark.parametrize(("old", "new", "arguments", "members", "has_faults"), OLD_METHODS)
def test_methods_keep_their_old_names(provider, old, new, arguments, members, has_faults):
    """The old methods do what the new ones do, with a warning at the line that calls them."""
    provider.inject_fault("token", status=500)
    if has_faults:
        provider.clear_faults()
    with pytest.warns(DeprecationWarning, match=f"RunningProvider.{old} is now RunningProvider.{new}. ") as warned:
        getattr(provider, old)(*arguments, **members)

    assert warned[0].filename == __file__
    assert provider.has_faults is has_faults
