"""The routes: page, state, parts, marks, health, metrics, and a prediction for one image."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from zsad import __version__
from zsad.line.api import limits
from zsad.line.api.limits import AT_A_TIME, LARGEST_IMAGE, LARGEST_TEXT, Access, Rates
from zsad.line.api.metrics import metrics_of
from zsad.line.api.predicting import overlay_of, prediction_of
from zsad.line.api.recent import Recent
from zsad.line.api.state import parts_of, state_of
from zsad.line.database import COLUMNS, RefusedError
from zsad.line.sinks.files import csv_line, marks_csv
from zsad.line.station import Station
from zsad.outside import printable

Next = Callable[[Request], Awaitable[Response]]
_TIME = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z?)?$"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
}  # fmt: skip


class Said(BaseModel):
    """Why a request was refused."""

    detail: str


class Mark(BaseModel):
    """What a person says of a part; an empty mark takes it back."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=5000)
    mark: Literal["good", "bad", ""]


def _refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Said} for code in (*codes, 401, 421)}


def app_of(station: Station, recent: Recent, access: Access) -> FastAPI:
    """Return the application of a station.

    Args:
        station: that is running.
        recent: keeps overlays.
        access: who may ask.
    """
    app = FastAPI(title="Station", version=__version__, docs_url=None, redoc_url=None,
                  description="A station: its state, its parts, and a prediction for one image.")  # fmt: skip
    _guard(app, access)
    _add_page(app)
    _add_state(app, station, recent)
    _add_rows(app, station)
    _add_predict(app, station)
    return app


def _guard(app: FastAPI, access: Access) -> None:
    @app.middleware("http")
    async def guard(request: Request, go_on: Next) -> Response:
        if not access.knows(request.headers.get("host")):
            answer: Response = JSONResponse({"detail": "ask this machine by its loopback address"}, 421)
        elif request.url.path != "/healthz" and not access.allows(request.headers.get("authorization")):
            answer = JSONResponse({"detail": "a token is needed"}, 401, {"WWW-Authenticate": 'Basic realm="zsad"'})
        elif request.method == "POST" and not _same_origin(request):
            answer = JSONResponse({"detail": "asked by another page"}, 403)
        else:
            answer = await go_on(request)
        answer.headers.update(_HEADERS)
        return answer

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return JSONResponse({"detail": f"the database can't be read now ({error.kind})"}, 503)


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def _add_page(app: FastAPI) -> None:
    kinds = {
        "line.html": "text/html",
        "line.css": "text/css",
        "line.js": "text/javascript",
        "icon.svg": "image/svg+xml",
    }
    page, style = files("zsad.line.api") / "page", files("zsad.report") / "page" / "report.css"

    def give(name: str) -> Callable[[], Response]:
        text = (page / name).read_text("utf-8")
        text = style.read_text("utf-8") + text if name == "line.css" else text
        return lambda: Response(text, media_type=f"{kinds[name]}; charset=utf-8")

    for name in kinds:
        app.get("/" if name == "line.html" else f"/{name}", include_in_schema=False)(give(name))


def _add_state(app: FastAPI, station: Station, recent: Recent) -> None:
    content, kind = metrics_of(station)

    @app.get("/healthz", responses={503: {"description": "the station does not work"}})
    def healthz() -> JSONResponse:
        """Say whether the station works: 200, or 503."""
        alarms = [alarm.kind for alarm in station.health.alarms.standing]
        alive = station.health.alive
        return JSONResponse({"status": "ok" if alive else "stalled", "alarms": alarms}, 200 if alive else 503)

    @app.get("/metrics", responses={**_refusals(503), 200: {"content": {"text/plain": {}}}}, response_class=Response)
    def metrics() -> Response:
        """Give metrics for Prometheus."""
        return Response(content(), media_type=kind)

    @app.get("/api/state", responses=_refusals(503))
    def state() -> dict[str, Any]:
        """Give counts, rates, latency, alarms, and the scores of the last 1,000 parts."""
        return state_of(station)

    @app.get("/api/parts", responses=_refusals(503))
    def parts(limit: Annotated[int, Query(ge=1, le=200)] = 24) -> list[dict[str, Any]]:
        """Give the last parts, the newest first."""
        return parts_of(station, recent, limit)

    @app.get("/api/overlay", responses={**_refusals(404), 200: {"content": {"image/png": {}}}}, response_class=Response)
    def overlay(id: Annotated[str, Query(min_length=1, max_length=5000)]) -> Response:
        """Give the picture of what was found in one of the last parts."""
        picture = recent.picture(id)
        if picture is None:
            raise HTTPException(404, "no picture of this part is kept")
        return Response(picture, media_type="image/png")


def _add_rows(app: FastAPI, station: Station) -> None:
    table: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}

    @app.get("/api/parts.csv", responses={**_refusals(503), **table}, response_class=StreamingResponse)
    def rows(
        start: Annotated[str, Query(pattern=_TIME)] = "1970-01-01",
        end: Annotated[str, Query(pattern=_TIME)] = "9999-12-31",
    ) -> StreamingResponse:
        """Give the rows of a period as CSV; times are UTC, such as 2026-11-30 or 2026-11-30T06:00Z."""

        def lines() -> Iterator[bytes]:
            yield (",".join(COLUMNS) + "\r\n").encode()
            for record in station.database.between(start.rstrip("Z"), end.rstrip("Z")):
                yield csv_line(record)

        named = {"Content-Disposition": 'attachment; filename="parts.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=named)

    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": Mark.model_json_schema()}}}}

    @app.post("/api/marks", responses=_refusals(403, 404, 408, 413, 422, 503), openapi_extra=body)
    async def mark(request: Request) -> dict[str, str]:
        """Keep that a part is good or bad, whatever its verdict was: for the next calibration and fit."""
        data = await _body(request, LARGEST_TEXT, "a mark")
        try:
            said = Mark.model_validate_json(data)
        except ValidationError:
            raise HTTPException(422, "give id, and mark as good, bad or nothing") from None
        if not await run_in_threadpool(station.database.knows, said.id):
            raise HTTPException(404, "no such part")
        await run_in_threadpool(station.database.mark, said.id, said.mark)
        return {"id": printable(said.id), "mark": said.mark}

    @app.get("/api/marks.csv", responses={**_refusals(503), **table}, response_class=Response)
    def marks() -> Response:
        """Give the marks as CSV with path and mark, which calibration reads."""
        return Response(marks_csv(station.database.marked()), media_type="text/csv; charset=utf-8")


def _add_predict(app: FastAPI, station: Station) -> None:
    rates, free = Rates(), asyncio.Semaphore(AT_A_TIME)
    body = {"requestBody": {"required": True, "content": {"application/octet-stream": {
        "schema": {"type": "string", "format": "binary"}}}}}  # fmt: skip
    answers = {**_refusals(400, 403, 408, 413, 429, 503), 200: {"content": {"image/png": {}}}}

    @app.post("/predict", responses=answers, openapi_extra=body)
    async def predict(
        request: Request, as_: Annotated[Literal["json", "overlay"], Query(alias="as")] = "json"
    ) -> Response:
        """Look at one image, the body of the request, and say what the station would; nothing is recorded."""
        if not rates.take(request.client.host if request.client else ""):
            raise HTTPException(429, "too many requests; ask more slowly", {"Retry-After": "1"})
        data = await _body(request, LARGEST_IMAGE, "an image")
        if free.locked():
            raise HTTPException(503, "busy with other images; try again", {"Retry-After": "1"})
        async with free:
            if as_ == "overlay":
                picture = await run_in_threadpool(overlay_of, station, data)
                return Response(picture, media_type="image/png")
            return JSONResponse(await run_in_threadpool(prediction_of, station, data))


async def _body(request: Request, largest: int, what: str) -> bytes:
    """Read a body of bounded size in bounded time."""
    length, data = request.headers.get("content-length", "0"), bytearray()
    too_large = HTTPException(413, f"{what} of more than {largest:,} bytes", {"Connection": "close"})
    if not length.isdecimal() or int(length[:12]) > largest:
        raise too_large
    try:
        async with asyncio.timeout(limits.READ_S):
            async for chunk in request.stream():
                data += chunk
                if len(data) > largest:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"{what} did not arrive in time", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, f"{what} did not arrive whole") from None
    return bytes(data)
