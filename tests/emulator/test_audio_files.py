"""Audio files: every container is read, a broken one is refused, and speech is recognized again."""

import contextlib
import io

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.media.audio_files import (
    AudioFileError,
    read_audio,
)
from runcrate_emulator.media.speech import CHARACTERS_PER_SECOND, SpeechMemory, speak
from tests.audio_files import spoken

TEXT = "Grüße aus Köln. Hello, 世界! See https://example.com/a?x=1."
SUFFIXES = (".mp3", ".wav", ".flac", ".m4a", ".mp4", ".ogg", ".webm")
MAX_S = 60.0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_container_is_read_with_its_length_and_its_tag(suffix):
    data = spoken(TEXT, suffix)
    audio = read_audio(data, max_s=MAX_S)
    assert audio.seconds == pytest.approx(len(TEXT) / CHARACTERS_PER_SECOND, abs=0.1)
    recalled = SpeechMemory().recall(data, audio)
    assert recalled is not None
    assert recalled.text == TEXT


def test_speech_is_recalled_by_its_digest_too():
    samples, said = speak(TEXT)
    memory = SpeechMemory()
    memory.remember(samples.tobytes(), said)
    header = spoken(TEXT, ".wav")
    untagged = header.replace(b"runcrate_emulator_speech", b"runcrate_emulator_silent")
    assert memory.recall(untagged, read_audio(untagged, max_s=MAX_S)) == said
    assert SpeechMemory().recall(untagged, read_audio(untagged, max_s=MAX_S)) is None


def test_a_video_without_audio_is_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioFileError, match="no audio track"):
        read_audio(file.getvalue(), max_s=MAX_S)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SUFFIXES), st.floats(0, 1), st.integers(0, 255))
def test_a_damaged_or_cut_file_is_refused_or_read_and_nothing_else(suffix, where, value):
    data = bytearray(spoken("Some words.", suffix))
    place = int(where * (len(data) - 1))
    data[place] = value
    for damaged in (bytes(data), bytes(data[:place])):
        with contextlib.suppress(AudioFileError):
            audio = read_audio(damaged, max_s=MAX_S)
            SpeechMemory().recall(damaged, audio)
