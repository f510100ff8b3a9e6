"""What the files in a conversation hold: words to answer from, and a description."""

import io
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.media.container_formats import container_format
from runcrate_emulator.simulation.conversation import Attachment
from runcrate_emulator.simulation.documents import is_pdf, pdf_text
from runcrate_emulator.simulation.sights import look

LONGEST_SOUND_S: Final = 300
"""Seconds of sound that a chat message may hold and still be listened to."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a file.

    Attributes:
        description: What kind of file it is, in a sentence.
        text: The words in it, or "".
    """

    description: str
    text: str = ""

    @property
    def told(self) -> str:
        """Description and words together."""
        return f"{self.description}\n{self.text}".strip()


def read(attachment: Attachment) -> Reading:
    """Read an attached file; one that cannot be read is described as such."""
    if attachment.data is None:
        return Reading(
            f"The {_NOUNS[attachment.kind]} is at a remote address "
            f"({attachment.url.split('?')[0]}), "
            "which this simulation does not fetch."
        )
    return _READERS[attachment.kind](attachment, attachment.data)


def _image(_: Attachment, data: bytes) -> Reading:
    sight = look(data)
    if sight is None:
        return Reading(f"The image ({len(data)} bytes) is in no format that can be read.")
    return Reading(sight.told())


def _audio(_: Attachment, data: bytes) -> Reading:
    from runcrate_emulator.media.sound_files import SoundFileError  # noqa: PLC0415 - media is heavy
    from runcrate_emulator.media.speech_sound import read_words  # noqa: PLC0415 - media is heavy

    try:
        heard = read_words(data, longest_s=LONGEST_SOUND_S)
    except SoundFileError as error:
        return Reading(f"The audio could not be heard: {error}.")
    length = f"The audio is {heard.duration_s:.1f} seconds long"
    if heard.text:
        return Reading(f"{length}. The words spoken in the audio are:", heard.text)
    return Reading(f"{length} and holds no speech that this simulation understands.")


def _video(_: Attachment, data: bytes) -> Reading:
    import av  # noqa: PLC0415 - only a film needs it

    unread = Reading(f"The video ({len(data)} bytes) is in no format that can be read.")
    kind = container_format(data)
    if kind is None:
        return unread
    try:
        with av.open(io.BytesIO(data), "r", format=kind) as container:
            stream = container.streams.video[0]
            seconds = float(container.duration or 0) / av.time_base
            title = container.metadata.get("title", "")
            described = (
                f"The video is {seconds:.1f} seconds long, {stream.width}x{stream.height} pixels."
            )
    except Exception:  # noqa: BLE001 - FFmpeg raises whatever its parsing runs into
        return unread
    return Reading(f"{described} Its title is: {title}" if title else described)


def _document(attachment: Attachment, data: bytes) -> Reading:
    name = f" {attachment.name}" if attachment.name else ""
    if is_pdf(data):
        text, pages = pdf_text(data)
        described = f"The document{name} is a PDF of {pages} page{'s' if pages > 1 else ''}"
        return (
            Reading(f"{described}.", text)
            if text
            else Reading(f"{described} without readable text.")
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Reading(f"The file{name} ({len(data)} bytes) is of a kind that cannot be read.")
    return Reading(f"The file{name} has {len(text.split())} words.", text)


_NOUNS: Final = {"image": "image", "audio": "audio", "video": "video", "file": "document"}
_READERS: Final = {"image": _image, "audio": _audio, "video": _video, "file": _document}
