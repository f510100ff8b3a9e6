"""Editors and notebooks show the parameters of the client's methods, which are made once."""

from __future__ import annotations

import inspect
import pydoc

import jedi
import pytest

from runcrate_core import AsyncRuncrate, Runcrate

SHOWN = {
    "client.instances.create": "name",
    "client.instances.connect": "private_key",
    "client.chat.completions.create": "temperature",
    "client.jobs.list_all": "status",
    "client.jobs.follow_logs": "job_id",
}


@pytest.mark.parametrize("kind", [Runcrate, AsyncRuncrate])
@pytest.mark.parametrize("path", SHOWN)
def test_a_completion_shows_the_parameters_of_a_method(kind, path):
    client = kind("rc_live_test")
    shown = jedi.Interpreter(f"{path}(", [{"client": client}]).get_signatures()
    method = eval(path, {"client": client})  # noqa: S307 - a path of the table above
    expected = list(inspect.signature(method).parameters)
    # Jedi 0.20 lists the one signature twice.
    assert {tuple(parameter.name for parameter in one.params) for one in shown} == {(*expected,)}
    assert SHOWN[path] in expected
    assert f"{SHOWN[path]}:" in pydoc.render_doc(method)


@pytest.mark.parametrize("kind", [Runcrate, AsyncRuncrate])
@pytest.mark.parametrize("path", SHOWN)
def test_a_method_is_made_once_for_a_resource(kind, path):
    client = kind("rc_live_test")
    assert eval(f"{path} is {path}", {"client": client})  # noqa: S307 - a path of the table
