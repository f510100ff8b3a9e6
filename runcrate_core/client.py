"""The two clients: sync and async, the same in everything else."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from runcrate_core.config import Config, ParsedUrl, SecretText, hidden, resolve_config
from runcrate_core.hooks import RequestEvent
from runcrate_core.io.driver import AsyncDriver, SyncDriver
from runcrate_core.io.httpx_adapter import AsyncHttpClient, HttpClient
from runcrate_core.io.transport import AsyncHttp, SyncHttp
from runcrate_core.protocol.attempts import CallContext
from runcrate_core.protocol.rate_limiter import RateLimiter
from runcrate_core.protocol.retry import RetryBudget, RetryPolicy
from runcrate_core.protocol.steps import Operation
from runcrate_core.protocol.timeouts import TimeoutLike

if TYPE_CHECKING:
    from types import TracebackType

    from runcrate_core.api.audio import AsyncAudio, Audio
    from runcrate_core.api.billing import AsyncBilling, Billing
    from runcrate_core.api.chat import AsyncChat, Chat
    from runcrate_core.api.embeddings import AsyncEmbeddingsResource, EmbeddingsResource
    from runcrate_core.api.environments import AsyncEnvironments, Environments
    from runcrate_core.api.images import AsyncImages, Images
    from runcrate_core.api.instances import AsyncInstances, Instances
    from runcrate_core.api.job_groups import AsyncJobGroups, JobGroups
    from runcrate_core.api.jobs import AsyncJobs, Jobs
    from runcrate_core.api.models import AsyncModels, Models
    from runcrate_core.api.schedules import AsyncSchedules, Schedules
    from runcrate_core.api.secrets import AsyncSecrets, Secrets
    from runcrate_core.api.ssh_keys import AsyncSSHKeys, SSHKeys
    from runcrate_core.api.storage import AsyncStorage, Storage
    from runcrate_core.api.templates import AsyncTemplates, Templates
    from runcrate_core.api.videos import AsyncVideos, Videos

T = TypeVar("T")


class _Namespace:
    """Makes a namespace when it is first used, so that a program loads only what it uses."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._class = name
        self._attribute = module

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self
        module = importlib.import_module(f"runcrate_core.api.{self._module}")
        resource = getattr(module, self._class)(client._driver)  # noqa: SLF001 - this module's own classes
        client.__dict__[self._attribute] = resource
        return resource


def namespace(module: str, name: str) -> Any:
    """Return a lazy namespace: the class `name` of `runcrate_core.api.<module>`."""
    return _Namespace(module, name)


def _call_context(config: Config, before: CallContext | None = None) -> CallContext:
    """Return the state that the calls of a client share; derived clients share it too."""
    limiter = before.limiter if before is not None and before.limiter is not None else RateLimiter()
    return CallContext(
        policy=RetryPolicy(max_retries=config.max_retries),
        budget=before.budget if before is not None else RetryBudget(),
        limiter=limiter if config.wait_for_rate_limit else None,
        on_request=config.on_request,
        secrets=(config.api_key,) if config.api_key else (),
    )


class _Shareable:
    """Copying and pickling, for both clients."""

    _driver: SyncDriver | AsyncDriver

    def __copy__(self) -> Self:
        return self  # connections, budget and rate limiter are there to be shared

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings alone, without the key: it is read again from the environment."""
        if self._driver.http.is_given:
            raise pickle.PicklingError("A client with a custom `http_client` cannot be pickled.")
        return object.__new__, (type(self),), self._driver.config

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._driver.config!r})"


class Runcrate(_Shareable):
    """The sync client. Safe to share between threads, and usable after a fork.

    Args:
        api_key: The key (`rc_live_...`), or `RUNCRATE_API_KEY`.
        base_url: Address of the infrastructure API, or `RUNCRATE_API_URL`; with or without
            `/api/v1`.
        inference_url: Address of the inference API, or `RUNCRATE_API_BASE`; with or without `/v1`.
        environment: Environment that infrastructure calls are aimed at, or
            `RUNCRATE_ENVIRONMENT`; the workspace's default one otherwise (seed 003).
        timeout: Seconds of silence while waiting for a response, instead of the limit that each
            kind of call has (60 s, chat 600 s, media 300 s, launches 90 s); or a `Timeout` or
            `httpx.Timeout`, which sets connecting, sending and the pool as well.
        stream_idle_timeout: Seconds a stream may stay without content; `None` for no limit.
        max_retries: Retries after the first attempt, of requests that are safe to retry.
        default_headers: Sent with every request.
        http_client: An `httpx.Client` to use, for proxies or certificates; it is not closed. Its
            limits and, where they differ from those of httpx itself, its timeouts are used.
        wait_for_rate_limit: Whether calls wait for the next window when the key's rate limit is
            spent, instead of running into 429.
        on_request: Called with a `RequestEvent` after each attempt, for tracing.

    Raises:
        ConfigurationError: No key, a key that is not one, or another argument or variable that is
            not usable; it is named. Proxies and certificates are read by the first call.

    Example:
        ```python
        from runcrate_core import Runcrate

        with Runcrate() as client:
            completion = client.chat.completions.create(
                model="deepseek-ai/DeepSeek-V3",
                messages=[{"role": "user", "content": "Hello!"}],
            )
            print(completion.choices[0].message.content)
        ```
    """

    _driver: SyncDriver

    audio: Audio = namespace("audio", "Audio")
    billing: Billing = namespace("billing", "Billing")
    chat: Chat = namespace("chat", "Chat")
    embeddings: EmbeddingsResource = namespace("embeddings", "EmbeddingsResource")
    environments: Environments = namespace("environments", "Environments")
    images: Images = namespace("images", "Images")
    instances: Instances = namespace("instances", "Instances")
    job_groups: JobGroups = namespace("job_groups", "JobGroups")
    jobs: Jobs = namespace("jobs", "Jobs")
    models: Models = namespace("models", "Models")
    videos: Videos = namespace("videos", "Videos")
    schedules: Schedules = namespace("schedules", "Schedules")
    secrets: Secrets = namespace("secrets", "Secrets")
    ssh_keys: SSHKeys = namespace("ssh_keys", "SSHKeys")
    storage: Storage = namespace("storage", "Storage")
    templates: Templates = namespace("templates", "Templates")

    def __init__(
        self,
        api_key: str | SecretText | None = None,
        *,
        base_url: str | ParsedUrl | None = None,
        inference_url: str | ParsedUrl | None = None,
        environment: str | None = None,
        timeout: float | TimeoutLike | None = None,
        stream_idle_timeout: float | None = 120.0,
        max_retries: int = 3,
        default_headers: Mapping[str, str] | None = None,
        http_client: HttpClient | None = None,
        wait_for_rate_limit: bool = True,
        on_request: Callable[[RequestEvent], object] | None = None,
    ) -> None:
        api_key = hidden(api_key)
        config = resolve_config(
            api_key=api_key,
            base_url=base_url,
            inference_url=inference_url,
            environment=environment,
            timeout=timeout,
            stream_idle_timeout=stream_idle_timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            wait_for_rate_limit=wait_for_rate_limit,
            on_request=on_request,
        )
        self._driver = SyncDriver(config, SyncHttp(http_client), _call_context(config))

    def with_options(self, **changes: Any) -> Self:
        """Return a client with other options that shares connections, budget and rate limiter.

        Closing either of the two closes both.

        Args:
            changes: `timeout`, `stream_idle_timeout`, `max_retries`, `default_headers`,
                `environment`, `wait_for_rate_limit`, `on_request`.

        Raises:
            ConfigurationError: There is no such option, or a value is not usable.

        Example:
            ```python
            patient = client.with_options(timeout=900, max_retries=0)
            ```
        """
        before = self._driver
        config = before.config.changed(**changes)
        derived = object.__new__(type(self))
        derived._driver = SyncDriver(config, before.http, _call_context(config, before.context))
        return derived

    def __setstate__(self, config: Config) -> None:
        self._driver = SyncDriver(config, SyncHttp(), _call_context(config))

    def run(self, operation: Operation[T]) -> T:
        """Run a flow, such as those of `SpendGuard`, and return its result."""
        return self._driver.run(operation)

    def close(self) -> None:
        """Close the connections. Clients made by `with_options` are closed with it."""
        self._driver.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncRuncrate(_Shareable):
    """The asynchronous client; see `Runcrate`, whose arguments it takes.

    It may be used under several event loops, one after another or at the same time: each has
    connections of its own.

    Example:
        ```python
        import asyncio

        from runcrate_core import AsyncRuncrate


        async def main() -> None:
            async with AsyncRuncrate() as client:
                for model in await client.models.list():
                    print(model.id)


        asyncio.run(main())
        ```
    """

    _driver: AsyncDriver

    audio: AsyncAudio = namespace("audio", "AsyncAudio")
    billing: AsyncBilling = namespace("billing", "AsyncBilling")
    chat: AsyncChat = namespace("chat", "AsyncChat")
    embeddings: AsyncEmbeddingsResource = namespace("embeddings", "AsyncEmbeddingsResource")
    environments: AsyncEnvironments = namespace("environments", "AsyncEnvironments")
    images: AsyncImages = namespace("images", "AsyncImages")
    instances: AsyncInstances = namespace("instances", "AsyncInstances")
    job_groups: AsyncJobGroups = namespace("job_groups", "AsyncJobGroups")
    jobs: AsyncJobs = namespace("jobs", "AsyncJobs")
    models: AsyncModels = namespace("models", "AsyncModels")
    videos: AsyncVideos = namespace("videos", "AsyncVideos")
    schedules: AsyncSchedules = namespace("schedules", "AsyncSchedules")
    secrets: AsyncSecrets = namespace("secrets", "AsyncSecrets")
    ssh_keys: AsyncSSHKeys = namespace("ssh_keys", "AsyncSSHKeys")
    storage: AsyncStorage = namespace("storage", "AsyncStorage")
    templates: AsyncTemplates = namespace("templates", "AsyncTemplates")

    def __init__(
        self,
        api_key: str | SecretText | None = None,
        *,
        base_url: str | ParsedUrl | None = None,
        inference_url: str | ParsedUrl | None = None,
        environment: str | None = None,
        timeout: float | TimeoutLike | None = None,
        stream_idle_timeout: float | None = 120.0,
        max_retries: int = 3,
        default_headers: Mapping[str, str] | None = None,
        http_client: AsyncHttpClient | None = None,
        wait_for_rate_limit: bool = True,
        on_request: Callable[[RequestEvent], object] | None = None,
    ) -> None:
        api_key = hidden(api_key)
        config = resolve_config(
            api_key=api_key,
            base_url=base_url,
            inference_url=inference_url,
            environment=environment,
            timeout=timeout,
            stream_idle_timeout=stream_idle_timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            wait_for_rate_limit=wait_for_rate_limit,
            on_request=on_request,
        )
        self._driver = AsyncDriver(config, AsyncHttp(http_client), _call_context(config))

    def with_options(self, **changes: Any) -> Self:
        """Return a client with other options; see `Runcrate.with_options`."""
        before = self._driver
        config = before.config.changed(**changes)
        derived = object.__new__(type(self))
        derived._driver = AsyncDriver(config, before.http, _call_context(config, before.context))
        return derived

    def __setstate__(self, config: Config) -> None:
        self._driver = AsyncDriver(config, AsyncHttp(), _call_context(config))

    async def run(self, operation: Operation[T]) -> T:
        """Run a flow; see `Runcrate.run`."""
        return await self._driver.run(operation)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._driver.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
