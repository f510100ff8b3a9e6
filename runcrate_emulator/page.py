"""The page at `/`: what is going on, for people. Plain HTML that refreshes itself."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from runcrate_emulator.balance_chart import balance_chart, balance_curve
from runcrate_emulator.files import LINK_LIFETIME_S, PAGE_MARK, StoredFile
from runcrate_emulator.infrastructure import credit, instance_life
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_views import job_cost
from runcrate_emulator.journal import RecordedRequest
from runcrate_emulator.world import World

_SHOWN_INSTANCES = 12
_SHOWN_JOBS = 6
_SHOWN_REQUESTS = 14
_SHOWN_MEDIA = 12
_REFUSED = 400
_FAILED = 500


async def show_page(request: Request) -> Response:
    """GET /."""
    world = request.app.state.world
    style = files("runcrate_emulator").joinpath("page.css").read_text("utf-8")
    sections = [
        _heading(world, request),
        _figures(world),
        _section("Balance", balance_chart(balance_curve(world)), "wide"),
        _section("Instances", _instance_table(world), "wide"),
        _section("Jobs", _job_table(world), "wide") if world.jobs else "",
        _section("Last requests", _request_table(world.journal.entries())),
        _section("Media", _media(world)),
    ]
    return HTMLResponse(_document(style, "".join(sections)))


def _document(style: str, content: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runcrate emulator</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{style}</style></head><body><main>{content}</main><script>
setInterval(async () => {{
  if ([...document.querySelectorAll("audio, video")].some((player) => !player.paused)) return;
  const answer = await fetch("/").catch(() => null);
  document.body.classList.toggle("gone", answer === null);
  if (answer === null) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
}}, 2000);
</script></body></html>"""


def _heading(world: World, request: Request) -> str:
    speed = world.clock.speed
    pace = "stands still" if speed == 0 else f"{speed:g} s a second"
    host = escape(f"{request.url.scheme}://{request.url.netloc}")
    return (
        "<header><h1>Runcrate emulator</h1><p>"
        f"<time>{world.moment:%a %d %b %Y, %H:%M:%S}</time> UTC · clock: {pace}"
        f" · inference <code>{host}/v1</code> · infrastructure <code>{host}/api/v1</code>"
        "<br>Chat is simulated unless a script or an upstream replies; audio that the emulator did "
        "not speak gets a fixed transcript.</p></header>"
    )


def _figures(world: World) -> str:
    floating = credit.floating_balance(world)
    burn = credit.burn_per_hour(world)
    runway = f"{max(float(floating / burn), 0):,.1f} h" if burn else "—"
    figures = [
        ("Balance", f"${floating:,.2f}"),
        ("Burn per hour", f"${burn:,.2f}"),
        ("Runway", runway),
        ("Live instances", str(len(world.live_instances))),
        ("Inference requests", str(len(world.ledger.inference))),
    ]
    tiles = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return f"<dl>{tiles}</dl>"


def _section(title: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{title}</h2>{content}</section>'


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]], empty: str) -> str:
    """A table; a column whose name begins with `#` holds numbers."""
    names = list(columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{_numeric(name)}>{cell}</td>" for name, cell in zip(names, row, strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return f'<p class="empty">{empty}</p>'
    head = "".join(f"<th{_numeric(name)}>{name.lstrip('#')}</th>" for name in names)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _numeric(column: str) -> str:
    return ' class="number"' if column.startswith("#") else ""


def _instance_table(world: World) -> str:
    newest = list(world.instances.values())[: -_SHOWN_INSTANCES - 1 : -1]
    return _table(
        ("Name", "Status", "Type", "Region", "#$ per hour", "#Ran", "#Cost", "Stops"),
        (_instance_row(instance, world.moment) for instance in newest),
        "None yet. <code>POST /api/v1/instances</code> launches one.",
    )


def _instance_row(instance: Instance, now: datetime) -> list[str]:
    status = instance_life.status_at(instance, now)
    kind = instance.type
    end = instance.stopped_at or now
    stop = instance_life.auto_stop_at(instance, now)
    why = (instance.stop_reason or "").replace("_", " ")
    return [
        escape(instance.name),
        _chip(status),
        f"{kind.gpu_type} &times; {kind.gpu_count}"
        if instance.has_gpu
        else f"{kind.cpu_cores} CPUs",
        kind.region.id,
        f"{kind.hourly_rate:.2f}",
        _duration((end - instance.runs_from).total_seconds()),
        f"${instance_life.cost_between(instance, instance.runs_from, now):.2f}",
        why if stop is None else f"{stop:%d %b %H:%M}",
    ]


def _job_table(world: World) -> str:
    newest = list(world.jobs.values())[: -_SHOWN_JOBS - 1 : -1]
    return _table(
        ("Name", "Status", "Command", "GPU", "#Cost"),
        (_job_row(world, job) for job in newest),
        "None yet.",
    )


def _job_row(world: World, job: Job) -> list[str]:
    gpu = job.gpus[0]
    return [
        escape(job.name),
        _chip(job.status),
        f'<code class="clip">{escape(job.spec.command)}</code>',
        f"{escape(gpu.gpu_type)} &times; {gpu.gpu_count}",
        f"${job_cost(world, job):.2f}",
    ]


def _request_table(entries: list[RecordedRequest]) -> str:
    return _table(
        ("Time", "Status", "Request", "#ms"),
        (
            [
                f"{entry.at:%H:%M:%S}",
                _status_chip(entry.status),
                f'<code class="clip">{entry.method} {escape(entry.path)}</code>',
                f"{entry.duration_s * 1000:.1f}",
            ]
            for entry in entries[: -_SHOWN_REQUESTS - 1 : -1]
        ),
        "None yet.",
    )


def _status_chip(status: int | None) -> str:
    if status is None:
        return '<span class="chip failed">lost</span>'
    kind = "succeeded" if status < _REFUSED else "refused" if status < _FAILED else "failed"
    return f'<span class="chip {kind}">{status}</span>'


def _chip(status: str) -> str:
    return f'<span class="chip {status}">{status.replace("_", " ")}</span>'


def _media(world: World) -> str:
    made = world.media.newest(_SHOWN_MEDIA)
    if not made:
        return '<p class="empty">Nothing made yet.</p>'
    # A link that stays the same for an hour, so that the browser does not load it again and again.
    now_s = world.clock.now().timestamp()
    valid_for_s = 2 * LINK_LIFETIME_S - now_s % LINK_LIFETIME_S
    links = (f"{world.media.link(file.id, valid_for_s)}&{PAGE_MARK.decode()}" for file in made)
    tiles = (_medium(file, escape(link)) for file, link in zip(made, links, strict=True))
    return f'<div class="media">{"".join(tiles)}</div>'


def _medium(file: StoredFile, link: str) -> str:
    family = file.content_type.split("/")[0]
    if family == "image":
        shown = f'<img src="{link}" alt="" loading="lazy">'
    elif family in ("audio", "video"):
        shown = f'<{family} src="{link}" controls preload="metadata"></{family}>'
    else:
        shown = ""
    name = f'<a href="{link}">{escape(file.name)}</a> · {len(file.data) / 1000:,.1f} kB'
    return f"<figure>{shown}<figcaption>{name}</figcaption></figure>"


def _duration(seconds: float) -> str:
    if seconds <= 0:
        return "—"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


routes = [Route("/", show_page, methods=["GET"])]
