"""Pictures, speech and films as tools for LlamaIndex agents."""

# Annotations are not postponed here: LlamaIndex compares them as objects to find `ctx: Context`.

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from llama_index.core.base.llms.types import AudioBlock, ImageBlock, TextBlock, VideoBlock
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.tools.types import ToolMetadata
from llama_index.core.workflow import Context

from llamaindex_runcrate.tool_progress import NO_CONTEXT, telling
from runcrate_core import AsyncRuncrate, Runcrate, RuncrateError, Video
from runcrate_core.toolkit import (
    IMAGE_TOOL,
    SPEECH_TOOL,
    VIDEO_TOOL,
    ClientPair,
    ImageArguments,
    MediaFile,
    MediaGenerator,
    MediaResult,
    SpeechArguments,
    SpeechFormat,
    VideoArguments,
    explain_media_failure,
)

Block: TypeAlias = TextBlock | ImageBlock | AudioBlock | VideoBlock
DEFAULT_DIRECTORY: Final = Path("runcrate-media")
_STUDIO: Final = MediaGenerator(DEFAULT_DIRECTORY)


_TOOLS: Final = {
    "generate_image": IMAGE_TOOL,
    "text_to_speech": SPEECH_TOOL,
    "generate_video": VIDEO_TOOL,
}


class RuncrateMediaToolSpec(BaseToolSpec):
    """Pictures, speech and films as tools.

    The program chooses the folder and the models; the names of files are made here, and a model
    can name no other file. Each tool returns text, and the files behind it as blocks. While a
    film is made in a workflow, `ToolProgressEvent`s in the stream of its events say how far it is.

    Args:
        output_dir: Where files go; made when it does not exist.
        image_model: Makes pictures.
        edit_model: Changes pictures.
        speech_model: Speaks.
        video_model: Makes films.
        voice: The voice when a call names none; the model's own choice otherwise.
        speech_format: `mp3`, or `pcm` for bare samples.
        max_images: Most pictures of one call.
        wait: Whether a film is waited for; otherwise its job is returned, to be asked for later.
        timeout: Most seconds to wait for a film.
        poll_interval: Seconds between two looks at its job.
        return_media: Whether the files are returned as blocks. `RuncrateLLM` shows them to models
            that read them and names them to others; for an LLM class that takes only text in the
            results of tools, turn it off.
        api_key: Runcrate API key, or `RUNCRATE_API_KEY`.
        api_base: Address of the inference API, or `RUNCRATE_API_BASE`.
        client: A `Runcrate` to use instead of one made from key and address. Not closed.
        async_client: An `AsyncRuncrate` to use. Of the two, one is enough.

    Raises:
        ConfigurationError: There is no key.

    Example:
        ```python
        from llamaindex_runcrate import RuncrateMediaToolSpec

        spec = RuncrateMediaToolSpec("media", max_images=2)
        tools = spec.to_tool_list()  # for FunctionAgent(tools=tools, ...)
        print(spec.generate_image(prompt="A fox in the snow")[0].text)
        ```
    """

    spec_functions: list[SPEC_FUNCTION_TYPE] = [(name, f"a{name}") for name in _TOOLS]  # noqa: RUF012 - LlamaIndex has it so

    def __init__(
        self,
        output_dir: str | os.PathLike[str] = DEFAULT_DIRECTORY,
        *,
        image_model: str = _STUDIO.image_model,
        edit_model: str = _STUDIO.edit_model,
        speech_model: str = _STUDIO.speech_model,
        video_model: str = _STUDIO.video_model,
        voice: str | None = None,
        speech_format: SpeechFormat = _STUDIO.speech_format,
        max_images: int = _STUDIO.max_images,
        wait: bool = _STUDIO.wait,
        timeout: float = _STUDIO.timeout,
        poll_interval: float = _STUDIO.poll_interval,
        return_media: bool = True,
        api_key: str | None = None,
        api_base: str | None = None,
        client: Runcrate | None = None,
        async_client: AsyncRuncrate | None = None,
    ) -> None:
        self._studio = MediaGenerator(
            Path(output_dir),
            image_model=image_model,
            edit_model=edit_model,
            speech_model=speech_model,
            voice=voice,
            speech_format=speech_format,
            video_model=video_model,
            max_images=max_images,
            wait=wait,
            timeout=timeout,
            poll_interval=poll_interval,
        )
        self._return_media = return_media
        self._own: Runcrate | None = None
        if client is None and async_client is None:
            client = self._own = Runcrate(api_key, inference_url=api_base)
        self._clients = ClientPair(client, async_client)

    def generate_image(self, prompt: str, **options: Any) -> list[Block]:
        """Make or change pictures.

        Args:
            prompt: What they show, or how to change `image`.
            options: The further fields of `runcrate_core.toolkit.ImageArguments`.

        Returns:
            Text, and an `ImageBlock` for each picture.

        Raises:
            ConfigurationError: The folder cannot be made.
            ValueError: An argument is not usable; nothing was made.
            RuncrateError: A request failed.
        """
        return self._do(self._image_plan, prompt=prompt, **options)

    async def agenerate_image(self, prompt: str, **options: Any) -> list[Block]:
        """Make or change pictures without blocking the event loop; see `generate_image`."""
        return await self._ado(self._image_plan, prompt=prompt, **options)

    def text_to_speech(self, text: str, **options: Any) -> list[Block]:
        """Speak a text.

        Args:
            text: The words.
            options: The further fields of `runcrate_core.toolkit.SpeechArguments`.

        Returns:
            Text, and an `AudioBlock`.

        Raises:
            ConfigurationError: The folder cannot be made.
            ValueError: An argument is not usable; nothing was made.
            RuncrateError: The request failed.
        """
        return self._do(self._speech_plan, text=text, **options)

    async def atext_to_speech(self, text: str, **options: Any) -> list[Block]:
        """Speak a text without blocking the event loop; see `text_to_speech`."""
        return await self._ado(self._speech_plan, text=text, **options)

    def generate_video(
        self,
        prompt: str | None = None,
        *,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex finds no other annotation
        **options: Any,
    ) -> list[Block]:
        """Make a film, or fetch one that was begun earlier.

        Args:
            prompt: What it shows.
            ctx: The context of a workflow's step, whose events are to tell of progress; agents
                give theirs.
            options: The further fields of `runcrate_core.toolkit.VideoArguments`.

        Returns:
            Text, and a `VideoBlock` once there is a film.

        Raises:
            ConfigurationError: The folder cannot be made.
            ValueError: An argument is not usable; nothing was begun.
            RuncrateError: A request or the job failed.
        """
        return self._do(partial(self._video_plan, ctx), prompt=prompt, **options)

    async def agenerate_video(
        self,
        prompt: str | None = None,
        *,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex finds no other annotation
        **options: Any,
    ) -> list[Block]:
        """Make a film without blocking the event loop; see `generate_video`."""
        return await self._ado(partial(self._video_plan, ctx), prompt=prompt, **options)

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Return the tools, for agents or for use without one.

        Args:
            spec_functions: Names of methods, or pairs of a blocking and an asynchronous one; all
                tools when not given.
            func_to_metadata_mapping: How to describe some of them to a model instead.
        """
        tools = super().to_tool_list(spec_functions, func_to_metadata_mapping)
        for tool in tools:
            if tool.requires_context:
                tool.partial_params = dict(NO_CONTEXT)
        return tools

    def get_metadata_from_fn_name(
        self,
        fn_name: str,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,  # noqa: ARG002 - LlamaIndex's signature
    ) -> ToolMetadata | None:
        """Return how a function is shown to a model."""
        tool = _TOOLS.get(fn_name) or _TOOLS[fn_name.removeprefix("a")]
        return ToolMetadata(name=tool.name, description=tool.description, fn_schema=tool.arguments)

    def close(self) -> None:
        """Close the connections that were made here."""
        self._clients.close()
        if self._own is not None:
            self._own.close()

    async def aclose(self) -> None:
        """Close the connections that were made here, of the running event loop as well."""
        await self._clients.aclose()
        self.close()

    def _image_plan(self, **arguments: Any) -> Any:
        return self._studio.generate_images(ImageArguments(**arguments))

    def _speech_plan(self, **arguments: Any) -> Any:
        return self._studio.generate_speech(SpeechArguments(**arguments))

    def _video_plan(self, ctx: Context | None, **arguments: Any) -> Any:
        tell = telling(ctx)
        on_status = None if tell is None else lambda generate_video: tell(_state(generate_video))
        return self._studio.generate_video(
            VideoArguments(**arguments), on_status, each_percent=True
        )

    def _do(self, plan: Callable[..., Any], **arguments: Any) -> list[Block]:
        try:
            return self._blocks(self._clients.sync.run(plan(**arguments)))
        except Exception as error:
            _explain(error)
            raise

    async def _ado(self, plan: Callable[..., Any], **arguments: Any) -> list[Block]:
        try:
            return self._blocks(await self._clients.async_.run(plan(**arguments)))
        except Exception as error:
            _explain(error)
            raise

    def _blocks(self, answer: MediaResult) -> list[Block]:
        media = [_block(made) for made in answer.files] if self._return_media else []
        return [TextBlock(text=answer.text), *media]


def _state(generate_video: Video) -> dict[str, Any]:
    """Return the fields of a `ToolProgressEvent`."""
    return {
        "tool": VIDEO_TOOL.name,
        "id": generate_video.id,
        "status": generate_video.status,
        "fraction": generate_video.fraction_done,
    }


def _block(made: MediaFile) -> Block:
    match made.content_type.partition("/")[0]:
        case "image":
            return ImageBlock(path=made.path, image_mimetype=made.content_type)
        case "audio":
            return AudioBlock(path=made.path, format=made.path.suffix.removeprefix("."))
        case _:
            return VideoBlock(path=made.path, video_mimetype=made.content_type)


def _explain(error: Exception) -> None:
    """Let an error say what a model is to do; agents show it the text.

    Raises:
        ValueError: In place of an error that is none of this library's.
    """
    told = explain_media_failure(error)
    if told is None:
        return
    if not isinstance(error, RuncrateError):
        raise ValueError(told) from error  # noqa: TRY004 - of whatever type it was
    error.message = told
