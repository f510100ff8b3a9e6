"""Images: generated from a prompt, or from a prompt and other images.

Facts: seed 003 and the reference and guide pages of the endpoint. Editing is the same endpoint
with `image`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import PrivateAttr

from runcrate_core.api.client_binding import ClientBinding
from runcrate_core.api.envelope import ApiModel, LenientModel, parse_model
from runcrate_core.api.media_request import media_request
from runcrate_core.api.notebook import Bundle, image_bundle
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.errors import ResponseFormatError, RuncrateError
from runcrate_core.io.files import write_atomically
from runcrate_core.protocol.downloads import fetch_flow
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.media import MediaInput, bytes_of_text
from runcrate_core.protocol.media_types import media_type, suffix_of
from runcrate_core.protocol.redaction import origin_of
from runcrate_core.protocol.request import ReadTimeout, Request, RetrySafety, Surface
from runcrate_core.protocol.response import Response, malformed
from runcrate_core.protocol.steps import Call, Flow, GetRunner, Runner
from runcrate_core.protocol.timeouts import TimeoutLike

# A 4 megapixel image without compression has 12 MiB.
MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024


class GeneratedImage(LenientModel):
    """One image. It renders inline in notebooks.

    The API gives it as base64, as a data URI or as a URL; the methods take any of them. A
    URL is fetched when the bytes are first asked for, without the key. It expires after some
    time, so save what you want to keep.

    Attributes:
        url: URL or data URI, when it was sent so. A signed URL is a secret until it expires.
        b64_json: The file in base64, when it was sent so.
        revised_prompt: The prompt as the model revised it, if reported.
    """

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None

    _link: ClientBinding = PrivateAttr(default_factory=ClientBinding)
    _content: bytes | None = PrivateAttr(default=None)

    def to_bytes(self) -> bytes:
        """Return the image file.

        Raises:
            ResponseFormatError: It is not an image, or too large, or its URL must not be
                fetched.
            APIStatusError: Its URL has expired.
        """
        content = self.content_at_hand()
        return self._kept(self._link.runner.run_sync(self.fetch()) if content is None else content)

    async def ato_bytes(self) -> bytes:
        """Return the image file without blocking the event loop; see `to_bytes`."""
        content = self.content_at_hand()
        if content is None:
            content = await self._link.runner.run_async(self.fetch())
        return self._kept(content)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image file. An existing file is replaced atomically.

        Args:
            path: Where to; without a suffix it gets the one of what the image is (`.webp`, ...).

        Returns:
            Where it is.
        """
        return _write(Path(path), self.to_bytes())

    async def asave(self, path: str | os.PathLike[str]) -> Path:
        """Write the image file without blocking the event loop; see `save`."""
        return await asyncio.to_thread(_write, Path(path), await self.ato_bytes())

    @property
    def content_type(self) -> str | None:
        """Media type of the image file; `None` until it is fetched."""
        content = self.content_at_hand()
        return None if content is None else media_type(content[:512])

    def content_at_hand(self) -> bytes | None:
        """Return the bytes if they are in memory already."""
        if self._content is None:
            url = self.url or ""
            text = self.b64_json or (url if url[:5].lower() == "data:" else None)
            if text is not None:
                try:
                    self._content = bytes_of_text(text, "the image", is_received=True)
                except ValueError as error:
                    raise ResponseFormatError(
                        f"An image that the API returned cannot be used: {error}"
                    ) from None
        return self._content

    def fetch(self) -> Flow[bytes]:
        """Return the flow that fetches the bytes from their URL."""
        if not self.url:
            raise ResponseFormatError("The API returned an image with neither URL nor data.")
        fetched = yield from fetch_flow(self.url, limit=MAX_IMAGE_BYTES, media="image")
        return fetched.content

    def _kept(self, content: bytes) -> bytes:
        self._content = content
        return content

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        try:
            return image_bundle(self.to_bytes(), repr(self))
        except RuncrateError as error:
            return {"text/plain": f"{self!r}: {error}"}

    def __repr_args__(self) -> Any:
        """Show neither megabytes of base64 nor the signature of a URL."""
        if self.b64_json is not None:
            yield "b64_json", f"<{len(self.b64_json)} characters>"
        if self.url is not None:
            is_data = self.url[:5].lower() == "data:"
            yield (
                "url",
                f"<{len(self.url)} characters>" if is_data else f"{origin_of(self.url)}/...",
            )
        if self.revised_prompt is not None:
            yield "revised_prompt", self.revised_prompt


class ImageGeneration(ApiModel):
    """The response of `images.generate`.

    Attributes:
        data: The images; most models make one.
    """

    data: list[GeneratedImage]

    @property
    def image(self) -> GeneratedImage:
        """The first image; of several, the provider may have withheld some."""
        return next((image for image in self.data if image.url or image.b64_json), self.data[0])

    def _linked(self, runner: Runner) -> ImageGeneration:
        link = ClientBinding(runner)
        for image in self.data:
            image._link = link  # noqa: SLF001 - a class of this module
        return self

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        return self.image._repr_mimebundle_()


def generate(
    prompt: str,
    *,
    model: str,
    width: int | None = None,
    height: int | None = None,
    aspect_ratio: str | None = None,
    num_inference_steps: int | None = None,
    guidance: float | None = None,
    seed: int | None = None,
    negative_prompt: str | None = None,
    response_format: Literal["url", "b64_json"] | None = None,
    image: MediaInput | None = None,
    start_image: MediaInput | None = None,
    mask: MediaInput | None = None,
    control_image: MediaInput | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> Flow[ImageGeneration]:
    """Generate an image from a prompt, or edit one.

    Each image costs money, so a request whose response was lost is not sent again.

    Args:
        prompt: What to make, or what to change.
        model: Identifier of an image model.
        width: Pixels, 256 to 2048.
        height: Pixels, 256 to 2048.
        aspect_ratio: Such as `16:9`, instead of `width` and `height`.
        num_inference_steps: 1 to 100; more take longer.
        guidance: How closely to follow the prompt.
        seed: The same seed gives the same image, where the model can do that.
        negative_prompt: What to avoid.
        response_format: Form of the image in the response; the methods of the result take either.
        image: The image to edit: a `Path`, bytes, a binary file object, an https URL, a data
            URI or base64. Text is never read as a path.
        start_image: The first image, in the same forms.
        mask: Where to change it, in the same forms.
        control_image: What to follow (edges, depth, ...), in the same forms.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for the response.
        extra: Any other field (`input_images`, `prompt_strength`, ...), passed on to the model's
            provider; a `Path`, bytes or file object in it is sent as an image.

    Raises:
        ValueError: An image is not usable; nothing was sent.
        OSError: A file cannot be read; nothing was sent.
        UnprocessableEntityError: The model does not take a parameter so.
        APIConnectionError: No response came; an image may have been made and charged.

    Example:
        ```python
        from pathlib import Path

        city = client.images.generate(
            "A futuristic cityscape at sunset",
            model="black-forest-labs/FLUX.1-schnell",
            width=1024,
            height=768,
        )
        path = city.data[0].save("city")  # city.webp, or whatever it is

        client.images.generate(
            "A cat in space",
            model="black-forest-labs/FLUX.1-schnell",
            seed=42,
            num_inference_steps=4,
            guidance=3.5,
        )
        edited = client.images.generate(
            "Make the sky purple",
            model="black-forest-labs/FLUX.1-kontext-pro",
            image=path,  # a Path; or an https URL, bytes, a file object, a data URI
        )
        edited.data[0].save("purple.webp")
        ```
    """
    request = yield from media_request(
        Surface.INFERENCE,
        "POST",
        "/images/generations",
        retry=RetrySafety.NEVER,
        read_timeout=ReadTimeout.MEDIA,
        body=without_none(
            model=model,
            prompt=prompt,
            width=width,
            height=height,
            aspect_ratio=aspect_ratio,
            num_inference_steps=num_inference_steps,
            guidance=guidance,
            seed=seed,
            negative_prompt=negative_prompt,
            response_format=response_format,
            **extra,
        ),
        media={
            "image": image,
            "start_image": start_image,
            "mask": mask,
            "control_image": control_image,
        },
        headers=extra_headers,
        timeout=timeout,
    )
    result = yield from Call(request, lambda response: _read(response, request))
    runner = yield from GetRunner()
    return result._linked(runner)  # noqa: SLF001 - a class of this module


def _read(response: Response, request: Request) -> ImageGeneration:
    result = parse_model(ImageGeneration, request)(response)
    if not result.data:
        raise malformed(response, request, "it holds no image")
    if not any(image.url or image.b64_json for image in result.data):
        raise malformed(response, request, "no image has a `url` or `b64_json`")
    return result


def _write(path: Path, content: bytes) -> Path:
    if not (path.suffix or path.is_dir()):
        path = path.with_name(path.name + suffix_of(content[:512]))
    return write_atomically(path, content)


class Images(SyncResource):
    """`client.images`."""

    generate = endpoint(generate)


class AsyncImages(AsyncResource):
    """`client.images` of the asynchronous client."""

    generate = async_endpoint(generate)
