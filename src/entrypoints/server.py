"""The uvicorn server."""

from typing import Any, Final

import uvicorn

from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from entrypoints.logging_config import configure_logging
from entrypoints.settings import Settings

GRACE: Final = 7
"""Seconds for requests in progress to complete after SIGTERM; the whole shutdown takes less than ten."""

WORKER_TIMEOUT: Final = 30
"""Seconds that the supervisor waits for a worker to answer before it kills and replaces it.

uvicorn's 5 s are too few on a machine under heavy load: workers that were only slow were replaced in a loop.
"""


def run_server(settings: Settings, *, grace: int = GRACE, worker_timeout: int = WORKER_TIMEOUT, **options: Any) -> None:
    """Serve until a signal; then stop accepting connections, complete the requests in progress, and return."""
    configure_logging(settings.log_format, settings.log_level)  # for the process that supervises the workers
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
        timeout_worker_healthcheck=worker_timeout,
        **options,
    )
