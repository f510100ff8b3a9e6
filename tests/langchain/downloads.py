"""The image, paper and audio file that LangChain's standard tests download.

They are made here, so that neither recording nor replaying needs the network, and no file of
others is stored in the repository. The image has shapes and the paper a title that a model can
tell.
"""

from __future__ import annotations

import io
import zlib
from types import SimpleNamespace
from typing import Any

from PIL import Image, ImageDraw

from tests.audio_files import wav


def picture() -> bytes:
    """Return a PNG of a red circle and a blue square on white."""
    image = Image.new("RGB", (320, 200), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 40, 140, 160), fill="red")
    draw.rectangle((180, 40, 300, 160), fill="blue")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def paper(title: str = "Dummy PDF file") -> bytes:
    """Return a PDF of one page with a title."""
    text = zlib.compress(f"BT /F1 24 Tf 72 720 Td ({title}) Tj ET".encode("latin-1"))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Resources 6 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return body + head + tail % (len(objects) + 1, len(body))


def silence() -> bytes:
    """Return a WAV file of half a second."""
    return wav(bytes(8000), rate=8000)


_MAKERS = {".png": picture, ".pdf": paper, ".wav": silence}


def get(url: str, **_options: Any) -> Any:
    """Answer like `httpx.get` for a file with one of the known endings."""
    ending = url[url.rindex(".") :]
    return SimpleNamespace(content=_MAKERS[ending](), raise_for_status=lambda: None)
