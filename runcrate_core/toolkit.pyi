from runcrate_core.agent_tools.annotations import (
    ToolAnnotations as ToolAnnotations,
)
from runcrate_core.agent_tools.failures import (
    explain_failure as explain_failure,
)
from runcrate_core.agent_tools.tool import (
    AgentTool as AgentTool,
)
from runcrate_core.agent_tools.tool import (
    ToolResult as ToolResult,
)
from runcrate_core.agent_tools.toolbox import (
    AgentToolbox as AgentToolbox,
)
from runcrate_core.agent_tools.toolkit_mixin import (
    ToolkitMixin as ToolkitMixin,
)
from runcrate_core.client_pool import (
    ClientLease as ClientLease,
)
from runcrate_core.config import (
    inference_url_from_environment as inference_url_from_environment,
)
from runcrate_core.construct import (
    construct as construct,
)
from runcrate_core.embedding_batches import (
    aembed_batches as aembed_batches,
)
from runcrate_core.embedding_batches import (
    batches_of as batches_of,
)
from runcrate_core.embedding_batches import (
    embed_batches as embed_batches,
)
from runcrate_core.io.map_ordered import (
    map_ordered as map_ordered,
)
from runcrate_core.lazy_exports import (
    Extra as Extra,
)
from runcrate_core.lazy_exports import (
    lazy_exports as lazy_exports,
)
from runcrate_core.media_tools.failures import (
    explain_media_failure as explain_media_failure,
)
from runcrate_core.media_tools.generator import (
    MediaGenerator as MediaGenerator,
)
from runcrate_core.media_tools.image_tool import (
    IMAGE_TOOL as IMAGE_TOOL,
)
from runcrate_core.media_tools.image_tool import (
    ImageArguments as ImageArguments,
)
from runcrate_core.media_tools.media_directory import (
    MediaDirectory as MediaDirectory,
)
from runcrate_core.media_tools.result import (
    MediaFile as MediaFile,
)
from runcrate_core.media_tools.result import (
    MediaResult as MediaResult,
)
from runcrate_core.media_tools.speech_tool import (
    SPEECH_TOOL as SPEECH_TOOL,
)
from runcrate_core.media_tools.speech_tool import (
    SpeechArguments as SpeechArguments,
)
from runcrate_core.media_tools.speech_tool import (
    SpeechFormat as SpeechFormat,
)
from runcrate_core.media_tools.tool import (
    MediaArguments as MediaArguments,
)
from runcrate_core.media_tools.tool import (
    MediaTool as MediaTool,
)
from runcrate_core.media_tools.transcription_tool import (
    TRANSCRIPTION_TOOL as TRANSCRIPTION_TOOL,
)
from runcrate_core.media_tools.transcription_tool import (
    TranscriptionArguments as TranscriptionArguments,
)
from runcrate_core.media_tools.video_tool import (
    VIDEO_TOOL as VIDEO_TOOL,
)
from runcrate_core.media_tools.video_tool import (
    VideoArguments as VideoArguments,
)
from runcrate_core.protocol.chat_types import (
    extract_cost as extract_cost,
)
from runcrate_core.protocol.chat_types import (
    extract_reasoning as extract_reasoning,
)
from runcrate_core.protocol.chat_types import (
    extract_usage as extract_usage,
)
from runcrate_core.protocol.chat_types import (
    token_count as token_count,
)
from runcrate_core.protocol.chat_types import (
    usage_details as usage_details,
)
from runcrate_core.protocol.embeddable_texts import (
    embeddable_texts as embeddable_texts,
)
from runcrate_core.protocol.json_output import (
    JsonOutputError as JsonOutputError,
)
from runcrate_core.protocol.json_output import (
    echoes_schema as echoes_schema,
)
from runcrate_core.protocol.json_output import (
    parse_json_output as parse_json_output,
)
from runcrate_core.protocol.json_output import (
    without_reasoning as without_reasoning,
)
from runcrate_core.protocol.large_values import (
    encode_base64 as encode_base64,
)
from runcrate_core.protocol.large_values import (
    is_large as is_large,
)
from runcrate_core.protocol.media_types import (
    type_of_base64 as type_of_base64,
)
from runcrate_core.protocol.text_splitting import (
    LongText as LongText,
)
from runcrate_core.protocol.text_splitting import (
    Pieces as Pieces,
)
from runcrate_core.protocol.text_splitting import (
    split_texts as split_texts,
)
from runcrate_core.protocol.timeouts import (
    TimeoutLike as TimeoutLike,
)
from runcrate_core.protocol.tool_arguments import (
    ParsedToolCall as ParsedToolCall,
)
from runcrate_core.protocol.tool_arguments import (
    ToolArgumentsError as ToolArgumentsError,
)
from runcrate_core.protocol.tool_arguments import (
    ended_at_limit as ended_at_limit,
)
from runcrate_core.protocol.tool_arguments import (
    json_text as json_text,
)
from runcrate_core.protocol.tool_arguments import (
    parse_tool_arguments as parse_tool_arguments,
)
from runcrate_core.protocol.tool_arguments import (
    parse_tool_calls as parse_tool_calls,
)
from runcrate_core.protocol.tool_arguments import (
    strict_json as strict_json,
)
from runcrate_core.protocol.tool_names import (
    ToolNames as ToolNames,
)
from runcrate_core.protocol.tool_names import (
    wire_author_name as wire_author_name,
)
from runcrate_core.protocol.unicode_text import (
    EscapeJoiner as EscapeJoiner,
)
from runcrate_core.protocol.unicode_text import (
    valid_json as valid_json,
)
from runcrate_core.protocol.unicode_text import (
    valid_text as valid_text,
)
from runcrate_core.ssh.launched_instance import (
    LaunchedInstance as LaunchedInstance,
)
from runcrate_core.ssh.launched_instance import (
    LaunchOptions as LaunchOptions,
)
from runcrate_core.ssh.launched_instance import (
    LaunchSettings as LaunchSettings,
)
from runcrate_core.ssh.served_model import (
    SERVED_KEY as SERVED_KEY,
)
from runcrate_core.ssh.served_model import (
    ServedModel as ServedModel,
)
from runcrate_core.ssh.served_model import (
    ServeOptions as ServeOptions,
)
from runcrate_core.ssh.settings import (
    ConnectOptions as ConnectOptions,
)
from runcrate_core.sync_async_clients import (
    SyncAsyncClients as SyncAsyncClients,
)
from runcrate_core.transcription.audio_sources import (
    AUDIO_SUFFIXES as AUDIO_SUFFIXES,
)
from runcrate_core.transcription.audio_sources import (
    AudioInput as AudioInput,
)
from runcrate_core.transcription.audio_sources import (
    AudioSource as AudioSource,
)
from runcrate_core.transcription.audio_sources import (
    resolve_audio_sources as resolve_audio_sources,
)
from runcrate_core.transcription.segment import (
    Segment as Segment,
)
from runcrate_core.transcription.transcriber import (
    Transcriber as Transcriber,
)
from runcrate_core.transcription.transcriber import (
    TranscriptChunk as TranscriptChunk,
)
from runcrate_core.transcription.transcriber import (
    is_account_error as is_account_error,
)
from runcrate_core.transcription.transcript import (
    Transcript as Transcript,
)
from runcrate_core.transcription.transcript import (
    TranscriptFormat as TranscriptFormat,
)
