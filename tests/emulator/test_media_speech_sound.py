"""The emulator's voice is understood by its ear, whatever a file format did to it on the way."""

import contextlib
import io
import math
import random
from array import array

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.media.sound_files import (
    SPEECH_RATE_HZ,
    SoundFileError,
    SoundTooLongError,
    pcm_bytes,
    read_sound,
    speech_frames,
    to_mp3,
)
from runcrate_emulator.media.speech_sound import CHARACTERS_PER_SECOND, read_words, speak

ENGLISH = "Hello from Runcrate! Pi is about 3.14; see https://example.com/a/rather/long/path?x=1."
WORLD = "Grüße aus Köln. Привет, мир! 你好，世界。これは長い一文のテストです。 🎉 שלום"  # noqa: RUF001 - full-width on purpose

CONTAINERS = {
    "wav": ("wav", "pcm_s16le", 24_000, "mono", None),
    "wav-telephone-stereo": ("wav", "pcm_s16le", 8_000, "stereo", None),
    "wav-float": ("wav", "pcm_f32le", 44_100, "stereo", None),
    "mp3": ("mp3", "libmp3lame", 24_000, "mono", 64_000),
    "mp3-low": ("mp3", "libmp3lame", 24_000, "mono", 40_000),
    "mp3-music": ("mp3", "libmp3lame", 44_100, "stereo", 128_000),
    "m4a": ("ipod", "aac", 44_100, "stereo", 96_000),
    "mp4": ("mp4", "aac", 24_000, "mono", 48_000),
    "flac": ("flac", "flac", 24_000, "mono", None),
    "ogg": ("ogg", "libopus", 48_000, "mono", 32_000),
    "webm": ("webm", "libopus", 48_000, "stereo", 48_000),
}


def encoded(samples, container_format, codec, rate, layout, bit_rate) -> bytes:
    """Write speech as another program would."""
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            format=stream.codec_context.format.name,
            layout=layout,
            rate=rate,
            frame_size=stream.codec_context.frame_size or None,
        )
        for frame in [*speech_frames(samples), None]:
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav(samples) -> bytes:
    return encoded(samples, *CONTAINERS["wav"])


def silence(seconds: float) -> array:
    return array("h", bytes(2 * round(seconds * SPEECH_RATE_HZ)))


def whistle(seconds: float, hertz: float = 440.0) -> array:
    step = math.tau * hertz / SPEECH_RATE_HZ
    return array("h", (int(9000 * math.sin(step * n)) for n in range(round(seconds * 24_000))))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("text", [ENGLISH, WORLD], ids=["english", "world"])
def test_words_survive_every_container(container, text):
    heard = read_words(encoded(speak(text), *CONTAINERS[container]))
    assert heard.text == text
    assert heard.other_sound == ()


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_speed_changes_the_length_and_not_the_words(speed):
    samples = speak(ENGLISH, speed=speed)
    expected = len(ENGLISH) / CHARACTERS_PER_SECOND / speed
    assert len(samples) / SPEECH_RATE_HZ == pytest.approx(expected, rel=0.03, abs=0.1)
    assert read_words(to_mp3(samples)).text == ENGLISH


@pytest.mark.parametrize("pitch_hz", [95, 130, 165, 200])
def test_voices_differ_in_sound_and_not_in_words(pitch_hz):
    samples = speak(ENGLISH, pitch_hz=pitch_hz)
    assert samples != speak(ENGLISH, pitch_hz=110)
    assert read_words(to_mp3(samples)).text == ENGLISH


def test_speech_is_loud_and_never_clipped():
    peak = max(map(abs, speak(ENGLISH)))
    assert 10_000 < peak < 32_767


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_text_can_be_said_and_understood(text):
    if text.split():
        assert read_words(wav(speak(text))).text == " ".join(text.split())


def test_words_have_the_times_at_which_they_were_said():
    first, second = speak("One two."), speak("Three.")
    heard = read_words(wav(first + silence(2) + second))
    starts = {word.text: word.start_s for word in heard.words}
    assert starts["One"] == pytest.approx(0.04, abs=0.01)
    assert starts["Three."] == pytest.approx(len(first) / SPEECH_RATE_HZ + 2.04, abs=0.01)
    assert all(word.start_s < word.end_s for word in heard.words)
    assert heard.words[-1].end_s <= heard.duration_s


def test_a_recording_cut_between_words_gives_all_words():
    whole = speak(ENGLISH)
    words = read_words(wav(whole)).words
    cut = round((words[3].start_s - 0.01) * SPEECH_RATE_HZ)
    before, after = read_words(wav(whole[:cut])), read_words(wav(whole[cut:]))
    assert f"{before.text} {after.text}" == ENGLISH


def test_a_word_cut_in_two_is_left_out_of_both_pieces():
    whole = speak("alpha beta gamma delta")
    second = read_words(wav(whole)).words[1]
    cut = round((second.start_s + second.end_s) / 2 * SPEECH_RATE_HZ)
    assert read_words(wav(whole[:cut])).text == "alpha"
    assert read_words(wav(whole[cut:])).text == "gamma delta"


def test_a_word_drowned_in_noise_is_said_to_be_inaudible():
    chance = random.Random(5)
    samples = speak("alpha beta gamma")
    beta = read_words(wav(samples)).words[1]
    # After the mark and the header, so that a word is noticed but cannot be understood.
    begin, end = round((beta.start_s + 0.05) * 24_000), round(beta.end_s * 24_000)
    samples[begin:end] = array("h", (chance.randint(-9000, 9000) for _ in range(end - begin)))
    assert read_words(wav(samples)).text == "alpha [inaudible] gamma"


def test_other_sound_between_words_is_noticed_with_its_place():
    heard = read_words(
        wav(speak("Before.") + silence(1) + whistle(3) + silence(1) + speak("After."))
    )
    assert heard.text == "Before. After."
    (span,) = heard.other_sound
    assert span.seconds == pytest.approx(3, abs=0.15)
    assert heard.words[0].end_s < span.start_s < span.end_s < heard.words[1].start_s


def test_sounds_with_a_pause_between_them_are_told_apart():
    heard = read_words(wav(whistle(1) + silence(0.5) + whistle(1) + silence(0.2) + whistle(1)))
    assert [round(span.seconds, 1) for span in heard.other_sound] == pytest.approx(
        [1.0, 2.2], abs=0.1
    )


@pytest.mark.parametrize("hertz", [120, 440, 2750, 3000])
def test_a_whistle_is_no_speech_even_on_a_tone_of_the_code(hertz):
    heard = read_words(wav(whistle(2, hertz)))
    assert heard.words == ()
    assert sum(span.seconds for span in heard.other_sound) == pytest.approx(2, abs=0.15)


def test_noise_is_no_speech():
    chance = random.Random(1)
    noise = array("h", (chance.randint(-9000, 9000) for _ in range(24_000 * 20)))
    assert read_words(wav(noise)).words == ()


def test_silence_holds_neither_words_nor_sound():
    heard = read_words(wav(silence(1.5)))
    assert (heard.words, heard.other_sound) == ((), ())
    assert heard.duration_s == pytest.approx(1.5)


def test_a_quiet_recording_is_understood():
    quiet = array("h", (sample // 60 for sample in speak(ENGLISH)))
    assert read_words(wav(quiet)).text == ENGLISH


def test_pcm_is_little_endian_without_header():
    assert pcm_bytes(array("h", [1, -2])) == b"\x01\x00\xfe\xff"


def test_sound_longer_than_allowed_is_refused():
    with pytest.raises(SoundTooLongError):
        read_sound(wav(silence(2)), longest_s=1)


def test_a_film_without_sound_is_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(SoundFileError, match="no audio track"):
        read_words(file.getvalue())


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_truncated_file_is_read_as_far_as_it_goes_or_refused(container):
    data = encoded(speak(ENGLISH), *CONTAINERS[container])
    for share in (0.05, 0.5, 0.9):
        try:
            heard = read_words(data[: int(len(data) * share)])
        except SoundFileError:
            continue
        understood = heard.text.replace("[inaudible]", "").split()
        assert set(understood) <= set(ENGLISH.split()) | set(pieces(ENGLISH))


def pieces(text: str) -> list[str]:
    """All beginnings of words: a long word may be cut between its frames."""
    return [word[:end] for word in text.split() for end in range(1, len(word))]


SIGNATURES = [
    b"RIFF\xff\xff\xff\x00WAVEfmt ",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\x00\x02",
    b"\x1a\x45\xdf\xa3",
    b"\x00\x00\x00\x20ftypisom",
    b"ID3\x04\x00\x00",
    b"\xff\xfb\x90\x00",
    b"#EXTM3U\n",
    b"",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=2000))
def test_rubbish_is_refused_or_read_and_nothing_else(signature, rubbish):
    with contextlib.suppress(SoundFileError):
        assert read_words(signature + rubbish).duration_s > 0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CONTAINERS)), st.integers(0, 10**9), st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read_and_nothing_else(container, place, value):
    data = bytearray(DAMAGEABLE[container])
    data[place % len(data)] = value
    with contextlib.suppress(SoundFileError):
        assert read_words(bytes(data)).duration_s > 0


DAMAGEABLE = {name: encoded(speak("Some words."), *CONTAINERS[name]) for name in CONTAINERS}
