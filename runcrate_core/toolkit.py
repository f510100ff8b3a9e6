"""Building blocks for framework adapters: agent tools, media tools, transcription, client pairs.

`runcrate_core` is for users of the API; this module is for authors of adapters. An adapter imports
from these two and from nothing else of the package. Names load on first use.
"""

from runcrate_core.lazy_exports import lazy_exports

# Type checkers and editors read the same names from `toolkit.pyi`.
__all__, __getattr__, __dir__ = lazy_exports(
    "runcrate_core",
    {
        "agent_tools.annotations": ("ToolAnnotations",),
        "agent_tools.failures": ("explain_failure",),
        "agent_tools.tool": ("AgentTool", "ToolResult"),
        "agent_tools.toolbox": ("AgentToolbox",),
        "agent_tools.toolkit_mixin": ("ToolkitMixin",),
        "audio_sources": ("AUDIO_SUFFIXES", "AudioInput", "AudioSource", "resolve_audio_sources"),
        "client_pair": ("ClientPair",),
        "io.map_ordered": ("map_ordered",),
        "lazy_exports": ("Extra", "lazy_exports"),
        "media_arguments": (
            "IMAGE_TOOL",
            "ImageArguments",
            "MediaTool",
            "SPEECH_TOOL",
            "SpeechArguments",
            "VIDEO_TOOL",
            "VideoArguments",
        ),
        "media_failures": ("explain_media_failure",),
        "media_tools": ("MediaFile", "MediaGenerator", "MediaResult", "SpeechFormat"),
        "protocol.chat_types": ("extract_cost", "extract_reasoning", "extract_usage"),
        "protocol.transcripts": ("Segment", "Transcript", "TranscriptFormat"),
        "transcriber": ("is_of_the_account", "Transcriber", "TranscriptChunk"),
    },
    into="runcrate_core.toolkit",
)
