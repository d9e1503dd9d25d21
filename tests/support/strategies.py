from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from domain.identity import UserId
from domain.task import Task, TaskId
from domain.text import has_visible_character

STORABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])

titles = st.text(STORABLE, min_size=1, max_size=255).filter(has_visible_character)
descriptions = st.none() | st.text(STORABLE, max_size=2000)
instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  (hypothesis adds the zone)
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
task_ids = st.uuids().map(lambda value: TaskId(UUID(int=value.int)))
tasks = st.builds(
    Task.new, id=task_ids, owner=st.just(UserId("alice")), title=titles, description=descriptions, at=instants
)
