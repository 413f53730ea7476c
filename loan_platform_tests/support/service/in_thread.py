"""The service of a home behind a server in a thread: without BentoML, and without the start of its processes.

Requests and their answers go over sockets, and a process of its own works on batch jobs. What depends on a service's
process, such as signals, limits and its log, needs `running.serving`.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from prometheus_client import CollectorRegistry

from bento.connections.server import guard_connections
from bento.worker import Worker
from bento.worker_setup import checked_setup
from loan_platform_tests.support.service.in_process import no_bentoml
from loan_platform_tests.support.service.running import Home
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until


@contextmanager
def answering(home: Home, **more: str) -> Iterator[httpx.Client]:
    """The service with these settings, once it listens."""
    environment = {**os.environ, **home.environment, "LOAN_ENV": "development", "LOAN_LOG_REQUESTS": "0", **more}
    worker = Worker(checked_setup(environment), CollectorRegistry(), environment)
    app = worker.app(no_bentoml)
    worker.connect()
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False)
    guard_connections(worker.connections(), config)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        worker.stop()
