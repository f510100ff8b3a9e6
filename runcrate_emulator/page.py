"""The status page at `/`: plain HTML that refreshes automatically."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from html import escape
from importlib.resources import files
from itertools import accumulate

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from runcrate_emulator.files import LINK_LIFETIME_S, PAGE_MARK
from runcrate_emulator.infrastructure import credit, instance_life
from runcrate_emulator.infrastructure.job_views import job_cost
from runcrate_emulator.world import World

_SHOWN_INSTANCES = 12
_SHOWN_JOBS = 6
_SHOWN_REQUESTS = 14
_SHOWN_MEDIA = 12
_SAMPLES = 240  # as many as the chart has room for
_WIDTH, _HEIGHT = 960, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 952, 12, 172  # borders of the curve


async def show_page(request: Request) -> Response:
    """GET /."""
    world: World = request.app.state.world
    speed = world.clock.speed
    pace = "stands still" if speed == 0 else f"{speed:g} s a second"
    host = escape(f"{request.url.scheme}://{request.url.netloc}")
    style = files("runcrate_emulator").joinpath("page.css").read_text("utf-8")
    jobs = _section("Jobs", _jobs(world), "wide") if world.jobs else ""
    return HTMLResponse(f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runcrate emulator</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{style}</style></head><body><main>
<header><h1>Runcrate emulator</h1><p>
<time>{world.moment:%a %d %b %Y, %H:%M:%S}</time> UTC · clock: {pace}
 · inference <code>{host}/v1</code> · infrastructure <code>{host}/api/v1</code>
<br>Chat is simulated unless a script or an upstream replies; audio that the emulator did
not speak gets a fixed transcript.</p></header>
{_figures(world)}
{_section("Balance", _balance(world), "wide")}
{_section("Instances", _instances(world), "wide")}
{jobs}
{_section("Last requests", _requests(world))}
{_section("Media", _media(world))}
</main><script>
function update(old, part) {{
  const playing = [...old.querySelectorAll("audio, video")].some((player) => !player.paused);
  if (playing || old.outerHTML === part.outerHTML) return;
  const scrolled = old.querySelector(".scroll")?.scrollLeft;
  old.replaceWith(part);
  if (scrolled) part.querySelector(".scroll")?.scrollTo(scrolled, 0);
}}
setInterval(async () => {{
  const response = await fetch("/").catch(() => null);
  document.body.classList.toggle("gone", response === null);
  if (response === null || getSelection().type === "Range") return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [old, fresh] = [document, page].map((it) => it.querySelector("main"));
  if (old.children.length !== fresh.children.length) return old.replaceWith(fresh);
  const parts = [...old.children];
  [...fresh.children].forEach((part, number) => update(parts[number], part));
}}, 2000);
</script></body></html>""")


def _section(title: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{title}</h2>{content}</section>'


def _figures(world: World) -> str:
    floating = credit.floating_balance(world)
    burn = credit.burn_per_hour(world)
    figures = {
        "Balance": f"${floating:,.2f}",
        "Burn per hour": f"${burn:,.2f}",
        "Runway": f"{max(float(floating / burn), 0):,.1f} h" if burn else "—",
        "Live instances": str(len(world.live_instances)),
        "Inference requests": str(len(world.ledger.inference)),
    }
    tiles = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in figures.items())
    return f"<dl>{tiles}</dl>"


def _balance(world: World) -> str:
    """The floating balance from the start up to now, as an inline SVG.

    Instances let it fall steadily, whenever their usage was posted; top-ups, storage, refunds and
    inference make it jump.
    """
    posted = [t for t in world.ledger.transactions if t.instance_id is None]
    moments = [transaction.created_at for transaction in posted]
    sums = [Decimal(0), *accumulate(transaction.amount for transaction in posted)]
    start, span = moments[0], max(world.moment - moments[0], timedelta(seconds=1))
    balances: list[float] = []
    for at in (start + span * sample / _SAMPLES for sample in range(_SAMPLES + 1)):
        instances = world.instances.values()
        used = [instance_life.cost_between(i, i.runs_from, at) for i in instances]
        balances.append(float(sums[bisect_right(moments, at)] - sum(used)))
    highest, bottom = max(1.0, *balances), min(0.0, *balances)
    digit = 10.0 ** math.floor(math.log10(highest))
    top = math.ceil(highest / digit) * digit

    def y(balance: float) -> float:
        return _TOP + (_BOTTOM - _TOP) * (top - balance) / (top - bottom)

    step = (_RIGHT - _LEFT) / _SAMPLES
    line = " ".join(f"{_LEFT + step * at:.1f},{y(value):.1f}" for at, value in enumerate(balances))
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">'
        f"${f'{at:,.2f}'.removesuffix('.00')}</text>"
        for at in (bottom, (bottom + top) / 2, top)
    )
    pattern = "%H:%M:%S" if span < timedelta(days=1) else "%d %b %H:%M"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Balance over time">{grid}'
        f'<polygon class="area" points="{_LEFT},{y(bottom):.1f} {line} {_RIGHT},{y(bottom):.1f}"/>'
        f'<polyline class="line" points="{line}"/>'
        f'<circle class="dot" cx="{_RIGHT}" cy="{y(balances[-1]):.1f}" r="4"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{start.strftime(pattern)}</text>'
        f'<text x="{_RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">'
        f"{world.moment.strftime(pattern)}</text></svg>"
    )


def _table(columns: str, rows: Iterable[Iterable[str]], empty: str = "None yet.") -> str:
    """A table; a column whose name begins with `#` holds numbers."""
    names = columns.split(", ")
    kinds = [' class="number"' if name.startswith("#") else "" for name in names]
    body = "".join(
        f"<tr>{''.join(f'<td{k}>{cell}</td>' for k, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    if not body:
        return f'<p class="empty">{empty}</p>'
    head = "".join(f"<th{k}>{n.lstrip('#')}</th>" for k, n in zip(kinds, names, strict=True))
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _chip(status: str, kind: str | None = None) -> str:
    return f'<span class="chip {kind or status}">{status.replace("_", " ")}</span>'


def _clipped(text: str, tag: str = "span") -> str:
    shown = escape(text)
    return f'<{tag} class="clip" title="{shown}">{shown}</{tag}>'


def _instances(world: World) -> str:
    rows: list[list[str]] = []
    for instance in list(world.instances.values())[: -_SHOWN_INSTANCES - 1 : -1]:
        kind, now = instance.type, world.moment
        stop = instance_life.auto_stop_at(instance, now)
        ran = (instance.stopped_at or now) - instance.runs_from
        ran -= timedelta(microseconds=ran.microseconds)
        rows.append(
            [
                _clipped(instance.name),
                _chip(instance_life.status_at(instance, now)),
                f"{kind.gpu_type} &times; {kind.gpu_count}"
                if instance.has_gpu
                else f"{kind.cpu_cores} CPUs",
                kind.region.id,
                f"{kind.hourly_rate:.2f}",
                str(ran) if ran > timedelta(0) else "—",
                f"${instance_life.cost_between(instance, instance.runs_from, now):.2f}",
                f"{stop:%d %b %H:%M}" if stop else (instance.stop_reason or "").replace("_", " "),
            ]
        )
    columns = "Name, Status, Type, Region, #$ per hour, #Ran, #Cost, Stops"
    empty = "None yet. <code>POST /api/v1/instances</code> launches one."
    return _table(columns, rows, empty)


def _jobs(world: World) -> str:
    return _table(
        "Name, Status, Command, GPU, #Cost",
        (
            [
                _clipped(job.name),
                _chip(job.status),
                _clipped(job.spec.command, "code"),
                f"{escape(str(job.gpus[0].gpu_type))} &times; {job.gpus[0].gpu_count}",
                f"${job_cost(world, job):.2f}",
            ]
            for job in list(world.jobs.values())[: -_SHOWN_JOBS - 1 : -1]
        ),
    )


def _requests(world: World) -> str:
    rows: list[list[str]] = []
    for entry in list(world.journal)[: -_SHOWN_REQUESTS - 1 : -1]:
        family = (entry.status or 0) // 100
        kind = {2: "succeeded", 3: "succeeded", 4: "refused"}.get(family, "failed")
        request = _clipped(f"{entry.method} {entry.path}", "code")
        chip = _chip(str(entry.status or "lost"), kind)
        rows.append([f"{entry.at:%H:%M:%S}", chip, request, f"{entry.duration_s * 1000:.1f}"])
    return _table("Time, Status, Request, #ms", rows)


def _media(world: World) -> str:
    made = world.media.newest(_SHOWN_MEDIA)
    if not made:
        return '<p class="empty">Nothing generated yet.</p>'
    # A link that stays the same for an hour, so that the browser does not load it again.
    valid_for_s = 2 * LINK_LIFETIME_S - world.clock.now().timestamp() % LINK_LIFETIME_S
    tiles: list[str] = []
    for file in made:
        link = escape(f"{world.media.link(file.id, valid_for_s)}&{PAGE_MARK.decode()}")
        family = file.content_type.split("/")[0]
        shown = f'<img src="{link}" alt="" loading="lazy">' if family == "image" else ""
        if family in ("audio", "video"):
            shown = f'<{family} src="{link}" controls preload="metadata"></{family}>'
        name = f'<a href="{link}">{escape(file.name)}</a> · {len(file.data) / 1000:,.1f} kB'
        tiles.append(f"<figure>{shown}<figcaption>{name}</figcaption></figure>")
    return f'<div class="media">{"".join(tiles)}</div>'


routes = [Route("/", show_page, methods=["GET"])]
