"""Building blocks for framework adapters: agent tools, media, transcription, clients of both kinds.

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
        "client_pool": ("ClientLease",),
        "config": ("inference_url_from_environment",),
        "construct": ("construct",),
        "embedding_batches": ("aembed_batches", "batches_of", "embed_batches"),
        "io.map_ordered": ("map_ordered",),
        "lazy_exports": ("Extra", "lazy_exports"),
        "media_tools.failures": ("explain_media_failure",),
        "media_tools.generator": ("MediaGenerator",),
        "media_tools.image_tool": ("IMAGE_TOOL", "ImageArguments"),
        "media_tools.result": ("MediaFile", "MediaResult"),
        "media_tools.speech_tool": ("SPEECH_TOOL", "SpeechArguments", "SpeechFormat"),
        "media_tools.media_directory": ("MediaDirectory",),
        "media_tools.tool": ("MediaArguments", "MediaTool"),
        "media_tools.transcription_tool": ("TRANSCRIPTION_TOOL", "TranscriptionArguments"),
        "media_tools.video_tool": ("VIDEO_TOOL", "VideoArguments"),
        "protocol.chat_types": (
            "extract_cost",
            "extract_reasoning",
            "extract_usage",
            "token_count",
            "usage_details",
        ),
        "protocol.embeddable_texts": ("embeddable_texts",),
        "protocol.json_output": (
            "echoes_schema",
            "JsonOutputError",
            "parse_json_output",
            "without_reasoning",
        ),
        "protocol.large_values": ("encode_base64", "is_large"),
        "protocol.media_types": ("type_of_base64",),
        "protocol.text_splitting": ("LongText", "Pieces", "split_texts"),
        "protocol.timeouts": ("TimeoutLike",),
        "protocol.tool_arguments": (
            "ended_at_limit",
            "json_text",
            "ParsedToolCall",
            "parse_tool_arguments",
            "parse_tool_calls",
            "strict_json",
            "ToolArgumentsError",
        ),
        "protocol.tool_names": ("ToolNames", "wire_author_name"),
        "protocol.unicode_text": ("EscapeJoiner", "valid_json", "valid_text"),
        "sync_async_clients": ("SyncAsyncClients",),
        "transcription.audio_sources": (
            "AUDIO_SUFFIXES",
            "AudioInput",
            "AudioSource",
            "resolve_audio_sources",
        ),
        "transcription.segment": ("Segment",),
        "transcription.transcriber": ("is_account_error", "Transcriber", "TranscriptChunk"),
        "transcription.transcript": ("Transcript", "TranscriptFormat"),
        "ssh.launched_instance": ("LaunchedInstance", "LaunchOptions", "LaunchSettings"),
        "ssh.served_model": ("SERVED_KEY", "ServedModel", "ServeOptions"),
        "ssh.settings": ("ConnectOptions",),
    },
    into="runcrate_core.toolkit",
)
