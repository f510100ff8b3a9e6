"""Try the MCP server with clients that nobody here wrote; `make mcp-clients` runs it.

The Inspector's command line, the server scenarios of the MCP conformance suite,
`langchain-mcp-adapters` and `llama-index-tools-mcp`, each in an environment of its own under
`.mcp-clients/`, because their versions of the MCP SDK exclude each other. Needs npm and a network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from runcrate_emulator import Emulator
from tests.mcp_server.connections import LIMITS, environment, http_server
from tools.docs_blocks import blocks

ROOT: Final = Path(__file__).parent.parent
HOME: Final = ROOT / ".mcp-clients"
NODE_PACKAGES: Final = (
    "node@22",  # the conformance suite needs it
    "@modelcontextprotocol/inspector@2.12.0",
    "@modelcontextprotocol/conformance@0.1.16",
)
PYTHON_PACKAGES: Final = {
    "langchain": "langchain-mcp-adapters==0.3.2",
    "llamaindex": "llama-index-tools-mcp==0.6.0",
}
SCENARIOS: Final = {
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-polling",
    "server-sse-multiple-streams",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
}
# Why the other scenarios cannot pass: what their names begin with, and the reason.
EXPECTED_FAILURES: Final = {
    "tools-call-": "calls tools of the suite's own example server",
    "json-schema-2020-12": "calls a tool of the example server",
    "elicitation-": "calls tools of the example server",
    "resources-": "reads resources of the example server",
    "prompts-get-": "gets prompts of the example server",
    "completion-complete": "completes arguments of a prompt of the example server",
    "logging-set-level": "the server sends no log messages (deprecated in 2026-07-28)",
}
PAGE: Final = ROOT / "docs/mcp/server.md"
# Appended to the blocks of the page, which define `runcrate_tools`.
CALLS: Final = {
    "langchain": """
import asyncio

async def main():
    by_name = {tool.name: tool for tool in await runcrate_tools()}
    print(len(by_name), "tools;", await by_name["runcrate_get_balance"].ainvoke({}))

asyncio.run(main())
""",
    "llamaindex": """
import asyncio

async def main():
    by_name = {tool.metadata.name: tool for tool in await runcrate_tools()}
    print(len(by_name), "tools;", await by_name["runcrate_get_balance"].acall())

asyncio.run(main())
""",
}


def run(*command: object, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output; a failure shows it."""
    result = subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if result.returncode:
        raise SystemExit(f"{command[0]} failed:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return result.stdout


def server(*flags: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "runcrate_mcp", *flags)


def install_node() -> Path:
    """Install the programs of npm; return their directory."""
    programs = HOME / "node_modules" / ".bin"
    if not (programs / "conformance").exists():
        run("npm", "install", "--no-audit", "--no-fund", "--prefix", HOME, *NODE_PACKAGES)
    return programs


def install_python(name: str) -> Path:
    """Install a Python client into an environment of its own; return its interpreter."""
    home = HOME / name
    interpreter = home / "bin" / "python"
    if not (home / "complete").exists():
        run(sys.executable, "-m", "venv", home)
        run(interpreter, "-m", "pip", "install", "--quiet", PYTHON_PACKAGES[name])
        (home / "complete").touch()
    return interpreter


def try_inspector(emulator: Emulator, programs: Path) -> None:
    names = emulator.environment_variables()
    variables = [part for name, value in names.items() for part in ("-e", f"{name}={value}")]
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    call = (programs / "mcp-inspector", "--cli", *variables, *server(), "--method")
    # With --strict, a schema that some client does not accept is an error.
    tools = json.loads(run(*call, "tools/list", "--strict", env=env))["tools"]
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
    balance = run(*call, "tools/call", "--tool-name", "runcrate_get_balance", env=env)
    assert json.loads(balance)["structuredContent"]["balance_usd"] > 0
    print(f"Inspector: {len(tools)} tools, all read-only; a call works")


def try_conformance(emulator: Emulator, programs: Path) -> None:
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as files:
        flags = (*LIMITS, "--files-dir", files)
        with http_server(emulator, *flags) as (url, _):
            result = subprocess.run(
                [programs / "conformance", "server", "--url", url, "--suite", "all"],
                env=env,
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
    lines = re.findall(r"^([✓✗]) ([\w-]+):", result.stdout, re.MULTILINE)
    summary = {name: mark for mark, name in lines}
    passed = {name for name, mark in summary.items() if mark == "✓"}
    assert passed == SCENARIOS, f"passed: {sorted(passed)}\n{result.stdout[-2000:]}"
    for name in sorted(summary.keys() - passed):
        [reason] = [text for start, text in EXPECTED_FAILURES.items() if name.startswith(start)]
        print(f"  expected to fail: {name}: {reason}")
    print(f"Conformance suite: {len(passed)} of {len(summary)} scenarios pass: {sorted(passed)}")


def try_python(emulator: Emulator, name: str, module: str) -> None:
    """Run the block of the page that imports a module, with the server of this repository."""
    [block] = [block.code for block in blocks(PAGE.read_text()) if f"from {module}" in block.code]
    program = block.replace('"uvx"', repr(sys.executable)).replace(
        '["--from", "runcrate-integrations[mcp]", "runcrate-mcp"]', '["-m", "runcrate_mcp"]'
    )
    assert "uvx" not in program
    assert "--from" not in program
    env = {**environment(emulator), "PYTHONPATH": str(ROOT)}
    output = run(install_python(name), "-c", program + CALLS[name], env=env)
    print(f"{PYTHON_PACKAGES[name]}: {output}")


def main() -> None:
    HOME.mkdir(exist_ok=True)
    with Emulator() as emulator:
        if shutil.which("npm"):
            programs = install_node()
            try_inspector(emulator, programs)
            try_conformance(emulator, programs)
        else:
            print("npm is not installed: the Inspector and the conformance suite are not tried")
        try_python(emulator, "langchain", "langchain_mcp_adapters")
        try_python(emulator, "llamaindex", "llama_index")


if __name__ == "__main__":
    main()
