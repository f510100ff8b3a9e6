"""256 MiB up and down: seconds, and how much memory that takes."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SIZE = 256 * 1024 * 1024
PIECE = b"\x5a" * (1024 * 1024)


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives a video of 256 MiB, and takes a recording of any size."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "video/mp4")
        self.send_header("content-length", str(SIZE))
        self.end_headers()
        for _ in range(SIZE // len(PIECE)):
            self.wfile.write(PIECE)

    def do_POST(self) -> None:
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, len(PIECE))))
        body = b'{"text": "done"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def child(what: str, url: str, folder: Path) -> None:
    """Do one transfer, and print seconds and how much the process grew."""
    from runcrate_core import Runcrate

    client = Runcrate("rc_live_test", base_url=url, inference_url=f"{url}/v1")
    recording = folder / "recording.wav"
    if what == "upload":
        with recording.open("wb") as file:
            for _ in range(SIZE // len(PIECE)):
                file.write(PIECE)
    client.audio.transcriptions  # noqa: B018 - loads what the transfer needs before it is measured
    before = peak_mebibytes()
    started = time.perf_counter()
    if what == "download":
        client.videos.download("v-1", folder / "video.mp4")
    else:
        client.audio.transcriptions.create(model="m", file=recording)
    seconds = time.perf_counter() - started
    grown = peak_mebibytes() - before
    print(seconds, grown)
    if what == "download" and (folder / "video.mp4").stat().st_size != SIZE:
        raise RuntimeError("the video was not saved completely")


def peak_mebibytes() -> float:
    """Return the most memory that this program has held.

    `getrusage` would tell that of the process that started it, where that was larger.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def measure_files() -> list[dict[str, Any]]:
    """Return the rows of both transfers, each in a process of its own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    rows = []
    for what in ("upload", "download"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.files", what, url, folder]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, grown = map(float, output.split())
        row = {"title": f"file: {what} 256 MiB", "candidate": "runcrate_core", "family": "core",
               "seconds": seconds, "megabytes": grown}  # fmt: skip
        print(f"{row['title']:45} {'runcrate_core':34} {seconds:.2f} s, {grown:.1f} MiB more")
        rows.append(row)
    server.shutdown()
    server.server_close()
    return rows


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
