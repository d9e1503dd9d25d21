from collections.abc import Iterator

import pytest

from tests.support.loopback_issuer import LoopbackIssuer, an_issuer
from tests.support.pgbouncer import PGBOUNCER
from tests.support.service import Service, running

collect_ignore = [] if PGBOUNCER else ["test_poolers.py"]


@pytest.fixture(scope="package")
def issuer() -> Iterator[LoopbackIssuer]:
    """An issuer that stays fine; whoever wants another mood takes `own_issuer`."""
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
def own_issuer() -> Iterator[LoopbackIssuer]:
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="package")
def service(issuer: LoopbackIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on SQLite that says all it has to say; for tests that leave it as they found it."""
    settings = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_LOG_FORMAT": "json", "EVO_TODO_LOG_LEVEL": "debug"}
    with running(
        "serve", "--migrate", folder=tmp_path_factory.mktemp("service"), settings=settings | issuer.settings
    ) as it:
        yield it
