"""Each part works without the extras of the others, and says which one is missing.

`make wheel-check` tries the same with real environments; here the other libraries are hidden.
"""

import subprocess
import sys

import pytest

# The libraries of the extras, but for those that httpx and the frameworks bring themselves.
EXTRAS = {
    "ssh": ("asyncssh", "bcrypt"),
    "deepagents": ("deepagents",),
    "otel": ("opentelemetry",),
    "progress": ("tqdm",),
    "emulator": ("starlette", "uvicorn", "av"),
    "mcp": ("mcp",),
    "langchain": ("langchain_core",),
    "llamaindex": ("llama_index",),
}
# Names that need an extra besides that of their package.
NEEDS = {
    "RuncrateSandbox": "deepagents",
    "LaunchedSandbox": "deepagents",
    "InstanceShell": "ssh",
    "AsyncInstanceShell": "ssh",
}
# The libraries of other extras that the libraries of one bring.
BRINGS = {"mcp": ("emulator", "otel"), "llamaindex": ("progress",)}
PROGRAM = """
import importlib, sys

packages, *hidden = sys.argv[1:]

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
for package in packages.split():
    module = importlib.import_module(package)
    for name in module.__all__:
        try:
            getattr(module, name)
        except Exception as error:
            print(name, error)
"""


@pytest.mark.parametrize(
    ("packages", "extra"),
    [
        ("runcrate_core runcrate_core.toolkit", None),
        ("langchain_runcrate", "langchain"),
        ("llamaindex_runcrate", "llamaindex"),
        ("runcrate_mcp", "mcp"),
    ],
)
def test_every_public_name_loads_without_the_other_extras(packages, extra):
    given = {extra, *BRINGS.get(extra or "", ())}
    hidden = [name for other, names in EXTRAS.items() if other not in given for name in names]
    command = [sys.executable, "-c", PROGRAM, packages, *hidden]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    failed = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert failed.keys() <= NEEDS.keys(), failed
    for name, error in failed.items():
        assert f"runcrate-integrations[{NEEDS[name]}]" in error
