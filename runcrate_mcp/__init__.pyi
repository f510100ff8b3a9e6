from runcrate_mcp.server import (
    build_server as build_server,
)
from runcrate_mcp.settings import (
    ServerSettings as ServerSettings,
)
