"""GET /metrics: text for a Prometheus server. Who may read it is the guard's affair (`scrapers`)."""

from fastapi import APIRouter, Response

from modules.dashboard.exposition import CONTENT_TYPE
from modules.dashboard.live import Live
from modules.dashboard.metrics import Metrics


def router(metrics: Metrics, live: Live) -> APIRouter:
    """The route; the application includes it behind its guard."""
    found = APIRouter()

    @found.get("/metrics")
    async def scraped() -> Response:
        return Response(await live.work(metrics), headers={"content-type": CONTENT_TYPE})

    return found
