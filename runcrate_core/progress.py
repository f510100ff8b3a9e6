"""Progress bars for every `on_progress` of this library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from runcrate_core.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType


class ProgressBar:
    """A bar of bytes, drawn by `tqdm` in a terminal or a notebook; see `progress_bar`."""

    def __init__(self, description: str = "", **options: Any) -> None:
        try:
            from tqdm.auto import tqdm  # noqa: PLC0415 - an extra, which few programs need
        except ImportError:
            raise ConfigurationError(
                'A progress bar needs `tqdm`. Run: pip install "runcrate-integrations[progress]". '
                "Without it, pass a function of your own as `on_progress`."
            ) from None
        settings = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, **options}
        self._bar = tqdm(desc=description or None, total=None, **settings)

    def __call__(self, done: int, total: int | None) -> None:
        """Show the progress.

        Args:
            done: Bytes so far; fewer than before when the download started again.
            total: All bytes, or `None` while their number is unknown.
        """
        if total != self._bar.total:
            self._bar.total = total
            self._bar.refresh()
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is; may be called again."""
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def progress_bar(description: str = "", **options: Any) -> ProgressBar:
    """Make a progress bar, to be passed as `on_progress`.

    Args:
        description: Text in front of the bar.
        options: Further options of `tqdm` (`leave`, `disable`, `file`, ...).

    Raises:
        ConfigurationError: `tqdm` is not installed.

    Example:
        ```python
        from runcrate_core import progress_bar

        with progress_bar("video.mp4") as bar:
            client.videos.download(video_id, "video.mp4", on_progress=bar)
        ```
    """
    return ProgressBar(description, **options)
