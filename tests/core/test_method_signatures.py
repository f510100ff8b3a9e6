"""Editors and notebooks show the parameters of the client's methods, which are made once."""

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
def test_a_completion_shows_the_parameters_of_a_method_which_is_made_once(kind, path):
    client = kind("rc_live_test")
    shown = jedi.Interpreter(f"{path}(", [{"client": client}]).get_signatures()
    method, again = (eval(path, {"client": client}) for _ in range(2))  # noqa: S307 - of the table
    assert method is again
    expected = list(inspect.signature(method).parameters)
    # Jedi 0.20 lists the one signature twice.
    assert {tuple(parameter.name for parameter in one.params) for one in shown} == {(*expected,)}
    assert SHOWN[path] in expected
    assert f"{SHOWN[path]}:" in pydoc.render_doc(method)
