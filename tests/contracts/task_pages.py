"""The contract of the TaskLists port on searches and on the size of pages: inherited like TaskListsContract."""

import random
from datetime import timedelta

import msgspec
import pytest
from attrs import evolve

from adapters.http.schemas import TaskPageView
from application.ports import TaskLists
from domain.task import Revision, Revisions
from domain.task_list import MAX_PAGE, MAX_PAGE_BYTES, NotModified, Order, TaskPage, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, add, new, page, restore, save, titles

DELETED = TaskQuery(deleted=True, order=Order.UPDATED_LAST_FIRST)
LARGEST_TASK = 6 * (255 + 2000) + 300 + 5
ENVELOPE = 500
GIVEN = {
    "Buy milk": "two bottles",
    "MILK the cow": None,
    "Buy bread": "and almond milk, if any",
    "buymilk": 'he said "now"',
    "Straße 12": "100% sure_thing",
    "Straxe": "1000 sure thing",
    'Vinyl 12"': "back\\slash",
}


async def fill(lists: TaskLists, count: int, seed: int = 1) -> list[str]:
    """Add tasks of very different sizes, change some, and return the titles by creation."""
    chance = random.Random(seed)
    for number in range(count):
        alphabet = chance.choice(["\x01", "a", "é", "😀", '"', "a\n", "x\\y\x7f\u2028"])
        text = (alphabet * 2000)[: chance.choice([0, 1, 500, 2000, 2000])]
        task = await add(lists, new(f"{number}", after=number, description=text or None))
        if number % 7 == 0:
            await save(lists, task.toggled(at=task.updated_at + timedelta(days=chance.randrange(5))))
    return [f"{number}" for number in range(count)]


async def pages(lists: TaskLists, query: TaskQuery) -> list[TaskPage]:
    """All pages, from the first to the last."""
    found = [await page(lists, query)]
    while (after := found[-1].next) is not None:
        found.append(await page(lists, evolve(query, after=after)))
    return found


class TaskPagesContract:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("milk buy", ["Buy milk", "Buy bread", "buymilk"]),
            ("BOTTLES buy MiLk", ["Buy milk"]),
            ('"buy milk"', ["Buy milk"]),
            ('"milk the" COW', ["MILK the cow"]),
            ('"milk" "buy"', ["Buy milk", "Buy bread", "buymilk"]),
            ('"k\ttw"', []),
            ("STRASSE", ["Straße 12"]),
            ("100%", ["Straße 12"]),
            ("sure_", ["Straße 12"]),
            ("% _", ["Straße 12"]),
            ("back\\", ['Vinyl 12"']),
            ('12"', ['Vinyl 12"']),
            ('"now', ["buymilk"]),
            ('"Vinyl 12"" ', ['Vinyl 12"']),
            ("milk milk milk", ["Buy milk", "MILK the cow", "Buy bread", "buymilk"]),
            ("milk oat", []),
            ("", list(GIVEN)),
            ("   ", list(GIVEN)),
            ('""', list(GIVEN)),
        ],
    )
    async def test_every_word_and_quoted_part_of_a_search_occurs_in_any_order(
        self, lists: TaskLists, text: str, expected: list[str]
    ) -> None:
        for place, (title, description) in enumerate(GIVEN.items()):
            await add(lists, new(title, after=place, description=description))
        assert await titles(lists, TaskQuery(text=text.replace("\t", " "))) == expected

    async def test_a_search_of_any_number_of_parts_has_pages_in_every_order(self, lists: TaskLists) -> None:
        for number in range(9):
            await add(lists, new(f"{number} a b c d e f g h", after=number))
        for count in range(9):
            text = " ".join("abcdefgh"[:count])
            for order in Order:
                wanted = [str(number) for number in range(9)][:: -1 if order.descending else 1]
                found = await titles(lists, TaskQuery(text=text, order=order, limit=4, completed=False))
                assert [title[0] for title in found] == wanted

    async def test_no_page_exceeds_its_bytes_and_together_they_are_the_list(self, lists: TaskLists) -> None:
        expected = await fill(lists, 330)
        for order in Order:
            for query in (TaskQuery(order=order), TaskQuery(order=order, limit=129), TaskQuery(order=order, text="1")):
                wanted = [title for title in expected if not query.text or "1" in title]
                found: list[str] = []
                for one in await pages(lists, query):
                    size = len(msgspec.json.encode(TaskPageView.of(one, query)))
                    assert size <= MAX_PAGE_BYTES + ENVELOPE
                    if one.next is not None and len(one.tasks) < query.limit:
                        assert size > MAX_PAGE_BYTES - LARGEST_TASK - len(one.tasks) * 100, "it is not cut early"
                    found += [task.title for task in one.tasks]
                assert sorted(found) == sorted(wanted)
                if not order.by_update:
                    assert found == wanted[:: -1 if order.descending else 1]

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
    async def test_deleted_tasks_are_listed_by_their_deletion_the_last_one_first(
        self, lists: TaskLists, limit: int
    ) -> None:
        tasks = {title: await add(lists, new(title, after=place)) for place, title in enumerate("abcdefg")}
        await add(lists, new("his", owner=BOB))
        for place, title in enumerate("dgbea", start=1):
            await save(lists, tasks[title].deleted(at=START + timedelta(hours=place)))
        await restore(lists, tasks["g"].id)
        assert await titles(lists, evolve(DELETED, limit=limit)) == list("aebd")
        assert await titles(lists, TaskQuery(limit=limit)) == list("cfg")
        assert await titles(lists, evolve(DELETED, limit=limit, text="B")) == ["b"]
        assert await titles(lists, evolve(DELETED, limit=limit, completed=True)) == []
        last = (await page(lists, DELETED)).tasks[0]
        assert last.deleted_at == last.updated_at == START + timedelta(hours=5)

    async def test_a_page_of_deleted_tasks_is_bounded_and_of_a_known_revision_not_modified(
        self, lists: TaskLists
    ) -> None:
        for title in await fill(lists, 200):
            found = (await page(lists, TaskQuery(limit=1))).tasks
            await save(lists, found[0].deleted(at=START + timedelta(seconds=int(title))))
        found_pages = await pages(lists, DELETED)
        assert sum(len(one.tasks) for one in found_pages) == 200
        for one in found_pages:
            assert len(msgspec.json.encode(TaskPageView.of(one, DELETED))) <= MAX_PAGE_BYTES + ENVELOPE
        now = found_pages[0].revision
        assert await lists.open(ALICE).page(DELETED, known=Revisions(frozenset({now}))) == NotModified(now)

    async def test_a_page_of_short_tasks_has_as_many_as_were_asked_for(self, lists: TaskLists) -> None:
        for number in range(260):
            await add(lists, new(f"{number}", after=number))
        for limit, lengths in ((127, [127, 127, 6]), (128, [128, 128, 4]), (129, [129, 129, 2]), (MAX_PAGE, [260])):
            assert [len(one.tasks) for one in await pages(lists, TaskQuery(limit=limit))] == lengths

    async def test_a_long_page_of_a_known_revision_is_not_modified(self, lists: TaskLists) -> None:
        for number in range(130):
            await add(lists, new(f"{number}", after=number))
        for query in (TaskQuery(), TaskQuery(text="1")):
            for known in (130, 7):
                found = await lists.open(ALICE).page(query, known=Revisions(frozenset({Revision(known)})))
                assert (found == NotModified(Revision(130))) is (known == 130)
