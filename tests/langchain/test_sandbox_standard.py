"""The standard sandbox tests, on both real SSH servers, blocking and asynchronous.

Exactly seven of them fail on `deepagents` 0.7 with any backend, as they describe 0.6: there,
`write` refuses to overwrite and `glob` gives relative paths.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from langchain_tests.integration_tests import SandboxIntegrationTests

from langchain_runcrate import RuncrateSandbox
from tests.ssh.hosts import INSTANCE, emulator_host, sshd_host

# The suite's own fixtures are of this kind.
pytestmark = pytest.mark.filterwarnings("ignore:Class-scoped fixtures defined as instance methods")

OUTDATED = (
    "test_glob",
    "test_glob_basic_pattern",
    "test_glob_with_directories",
    "test_glob_hidden_files_explicitly",
    "test_glob_with_character_class",
    "test_glob_with_question_mark",
    "test_write_existing_file_fails",
)
IS_NEWER = tuple(int(part) for part in version("deepagents").split(".")[:2]) >= (0, 7)


class Sandboxes(SandboxIntegrationTests):
    """On one of the servers; the files of a class are its own."""

    host: Any

    @property
    def sandbox_root_dir(self) -> str:
        return f"/tmp/test_sandbox_{type(self).__name__}/"  # noqa: S108 - the suite's own place

    @pytest.fixture(scope="class")
    def sandbox(self, tmp_path_factory):
        root = Path(f"/tmp/test_sandbox_{type(self).__name__}")  # noqa: S108 - as above
        shutil.rmtree(root, ignore_errors=True)
        with type(self).host(tmp_path_factory.mktemp("host")) as host, host.shell() as shell:
            yield RuncrateSandbox(None, INSTANCE, shell=shell)
        shutil.rmtree(root, ignore_errors=True)

    @pytest.fixture(autouse=True)
    def _expect_outdated_tests_to_fail(self, request):
        name = request.node.originalname
        if IS_NEWER and name in OUTDATED:
            request.node.add_marker(
                pytest.mark.xfail(strict=True, reason="the suite describes deepagents 0.6")
            )


class TestOnTheEmulator(Sandboxes):
    host = staticmethod(emulator_host)


class TestOnOpenSSH(Sandboxes):
    host = staticmethod(sshd_host)


def test_seven_are_expected_to_fail_and_no_other():
    tests = {name for name in dir(SandboxIntegrationTests) if name.startswith("test_")}
    assert set(OUTDATED) < tests
    assert len(tests) == 86
    assert len(OUTDATED) == 7
