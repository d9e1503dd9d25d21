"""uvicorn, set up for this service."""

from typing import Any, Final

import uvicorn

from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from entrypoints.logging_config import configure_logging
from entrypoints.settings import Settings

GRACE: Final = 7
"""Seconds that requests in flight get after SIGTERM; with what follows, the process is gone within ten."""


def run_server(settings: Settings, *, grace: int = GRACE, **more: Any) -> None:
    """Serve until a signal says stop: then take no more connections, finish what is in flight, and return."""
    configure_logging(settings.log_format, settings.log_level)  # a process that only minds workers logs, too
    uvicorn.run(
        "entrypoints.asgi:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        http=HardenedHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
        **more,
    )
