"""The service with short time limits for its workers; SIGUSR1 blocks a worker's event loop for good."""

import os
import signal
import time
from typing import Final

from entrypoints.server import LoopWatchdog, run_server
from entrypoints.settings import Settings

WORKER_TIMEOUT: Final = 8

LoopWatchdog.interval, LoopWatchdog.max_missed = 0.2, 25


def block(*_: object) -> None:
    while True:
        time.sleep(60)


signal.signal(signal.SIGUSR1, block)  # workers are new processes, which import this module, too

if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    run_server(settings, workers=settings.workers, worker_timeout=WORKER_TIMEOUT)
