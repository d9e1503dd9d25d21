"""What every client of the task calls can rely on, whatever keeps the lists: inherited by one class per adapter."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from tests.support.api import Api

LIST = "/api/alice/tasks"
NOBODYS = "01a2070c-b181-771a-9a1e-afb926449dbd"
CHANGES = [("PUT", ""), ("PATCH", ""), ("PATCH", "/complete"), ("POST", "/restore"), ("DELETE", "")]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in an answer, which has every member that clients rely on (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    details: dict[str, Any] = answer.json()
    assert details["status"] == status
    assert details["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert details["request_id"] == answer.headers["X-Request-Id"]
    assert all(isinstance(details[member], str) and details[member] for member in ("type", "title", "detail"))
    return details


def errors(answer: httpx.Response) -> list[dict[str, str]]:
    found: list[dict[str, str]] = problem(answer, 422)["errors"]
    return found


class TasksOverHttpContract:
    @pytest.fixture
    def api(self) -> Api:
        raise NotImplementedError("each adapter's class says what is tested")

    # Part 1: the guide's walk, call by call

    async def test_the_guides_walk_list_create_get_update_toggle_delete(self, api: Api) -> None:
        assert (await api("GET", LIST)).json() == {"data": [], "count": 0, "next_cursor": None}
        created = await api("POST", LIST, json={"title": " Buy milk ", "description": "Two bottles"})
        task = created.json()
        one = f"{LIST}/{task['id']}"
        assert (created.status_code, created.headers["Location"], created.headers["ETag"]) == (201, one, '"1"')
        assert task == {
            "id": task["id"],
            "user_id": "alice",
            "title": "Buy milk",
            "description": "Two bottles",
            "completed": False,
            "created_at": task["created_at"],
            "updated_at": task["created_at"],
            "revision": 1,
        }
        assert (UUID(task["id"]).version, bool(INSTANT.fullmatch(task["created_at"]))) == (7, True)
        assert (await api("GET", created.headers["Location"])).json() == task
        updated = await api("PUT", one, json={"title": "Buy oat milk"})
        assert (updated.status_code, updated.headers["ETag"]) == (200, '"2"')
        assert updated.json() == task | {
            "title": "Buy oat milk",
            "updated_at": updated.json()["updated_at"],
            "revision": 2,
        }
        toggled = await api("PATCH", f"{one}/complete")
        assert (toggled.status_code, toggled.json()["completed"], toggled.headers["ETag"]) == (200, True, '"3"')
        assert (await api("GET", LIST)).json() == {"data": [toggled.json()], "count": 1, "next_cursor": None}
        deleted = await api("DELETE", one)
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert (await api("GET", LIST)).json() == {"data": [], "count": 0, "next_cursor": None}
        problem(await api("GET", one), 404)

    async def test_another_users_list_is_denied_whether_it_exists_or_not(self, api: Api) -> None:
        task = await api.task(user="bob")
        for owner in ("bob", "nobody"):
            for method, path in (
                ("GET", ""),
                ("POST", ""),
                ("GET", f"/{task['id']}"),
                ("PUT", f"/{task['id']}"),
                ("PATCH", f"/{task['id']}"),
                ("PATCH", f"/{task['id']}/complete"),
                ("POST", f"/{task['id']}/restore"),
                ("DELETE", f"/{task['id']}"),
            ):
                answer = await api(method, f"/api/{owner}/tasks{path}", json={"title": "Mine now"})
                details = problem(answer, 403)
                assert "bob" not in details["detail"] + details["title"]
        assert (await api("GET", f"/api/bob/tasks/{task['id']}", user="bob")).json() == task

    async def test_another_users_task_looks_like_no_task_at_all(self, api: Api) -> None:
        theirs = (await api.task(user="bob"))["id"]
        for method, suffix in (("GET", ""), *CHANGES):
            seen = []
            for task_id in (theirs, NOBODYS):
                answer = await api(method, f"{LIST}/{task_id}{suffix}", json={})
                details = problem(answer, 404)
                headers = {name for name in answer.headers if name != "content-length"}
                seen.append(({**details, "instance": "", "request_id": ""}, headers))
            assert seen[0] == seen[1]

    # Updating

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    async def test_updating_changes_only_the_members_that_are_there(self, api: Api, method: str) -> None:
        task = await api.task(description="Two bottles")
        one = f"{LIST}/{task['id']}"
        assert (await api(method, one, json={"completed": True})).json()["description"] == "Two bottles"
        assert (await api(method, one, json={"description": None})).json()["description"] is None
        assert (await api(method, one, json={"description": ""})).json()["description"] == ""
        after = (await api(method, one, json={"title": " Bread "})).json()
        assert (after["title"], after["completed"], after["revision"]) == ("Bread", True, 5)

    @pytest.mark.parametrize("body", [{}, {"title": "Buy milk"}, {"completed": False, "description": None}])
    async def test_an_update_that_makes_no_difference_changes_nothing(self, api: Api, body: dict[str, Any]) -> None:
        task = await api.task()
        answer = await api("PUT", f"{LIST}/{task['id']}", json=body)
        assert (answer.json(), answer.headers["ETag"]) == (task, '"1"')

    async def test_a_whole_task_can_be_sent_back(self, api: Api) -> None:
        task = await api.task()
        answer = await api("PUT", f"{LIST}/{task['id']}", json=task | {"title": "Bread"})
        assert answer.json() == task | {"title": "Bread", "revision": 2, "updated_at": answer.json()["updated_at"]}
        fake = {"id": NOBODYS, "user_id": "bob", "created_at": 5, "updated_at": None, "revision": "x"}
        answer = await api("PUT", f"{LIST}/{task['id']}", json=fake)
        assert (answer.json()["id"], answer.json()["user_id"], answer.json()["revision"]) == (task["id"], "alice", 2)
        created = await api("POST", LIST, json=fake | {"title": "New"})
        assert (created.json()["user_id"], created.json()["id"] != NOBODYS, created.json()["revision"]) == (
            "alice",
            True,
            3,
        )

    async def test_a_merge_patch_may_say_what_it_is(self, api: Api) -> None:
        task = await api.task()
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = await api("PATCH", f"{LIST}/{task['id']}", content='{"title":"Bread"}', headers=headers)
        assert answer.json()["title"] == "Bread"
        problem(await api("PUT", f"{LIST}/{task['id']}", content="{}", headers=headers), 415)

    # Completing

    async def test_completing_toggles_with_an_empty_body_and_sets_with_one(self, api: Api) -> None:
        complete = f"{LIST}/{(await api.task())['id']}/complete"
        as_json = {"Content-Type": "application/json"}
        calls: list[tuple[dict[str, Any], bool]] = [
            ({}, True),
            ({"headers": as_json}, False),
            ({"json": {"completed": True}}, True),
            ({"json": {"completed": True}}, True),
            ({"json": {}}, False),
            ({"json": {"completed": False}}, False),
        ]
        for more, expected in calls:
            answer = await api("PATCH", complete, **more)
            assert (answer.status_code, answer.json()["completed"]) == (200, expected)
        assert (await api("GET", complete.removesuffix("/complete"))).json()["revision"] == 5

    # Deleting

    async def test_what_is_deleted_is_gone_for_every_call(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        assert (await api("DELETE", one)).status_code == 204
        for method, suffix in (("GET", ""), ("PUT", ""), ("PATCH", "/complete"), ("DELETE", "")):
            problem(await api(method, f"{one}{suffix}", json={}), 404)

    # Restoring

    async def test_what_was_deleted_comes_back_as_it_was_at_a_new_revision(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task('Buy milk', description='Two bottles'))['id']}"
        task = (await api("PATCH", f"{one}/complete")).json()
        await api("DELETE", one)
        answer = await api("POST", f"{one}/restore")
        restored = answer.json()
        assert (answer.status_code, answer.headers["ETag"], "Location" in answer.headers) == (200, '"4"', False)
        assert restored == task | {"updated_at": restored["updated_at"], "revision": 4}
        assert restored["updated_at"] >= task["updated_at"]
        listed = await api("GET", LIST, params={"q": "MILK", "completed": "true"})
        assert (listed.json()["data"], listed.headers["ETag"]) == ([restored], '"4"')
        assert (await api("GET", one)).json() == restored
        renamed = await api("PUT", one, json={"title": "Bread"}, headers={"If-Match": '"4"'})
        assert renamed.json()["revision"] == 5

    async def test_restoring_what_is_not_deleted_changes_nothing(self, api: Api) -> None:
        task = await api.task()
        one = f"{LIST}/{task['id']}"
        answer = await api("POST", f"{one}/restore")
        assert (answer.status_code, answer.json(), answer.headers["ETag"]) == (200, task, '"1"')
        await api("DELETE", one)
        first, again = await api("POST", f"{one}/restore"), await api("POST", f"{one}/restore")
        assert (again.status_code, again.json(), again.headers["ETag"]) == (200, first.json(), '"3"')
        assert (await api("GET", LIST)).headers["ETag"] == '"3"'

    async def test_a_restored_task_can_be_deleted_and_restored_again(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        for revision in (3, 5, 7):
            assert (await api("DELETE", one)).status_code == 204
            problem(await api("GET", one), 404)
            assert (await api("POST", f"{one}/restore")).json()["revision"] == revision

    async def test_another_users_deleted_task_looks_like_no_task_at_all(self, api: Api) -> None:
        theirs = (await api.task(user="bob"))["id"]
        await api("DELETE", f"/api/bob/tasks/{theirs}", user="bob")
        details = [problem(await api("POST", f"{LIST}/{task_id}/restore"), 404) for task_id in (theirs, NOBODYS)]
        assert [one["detail"] for one in details] == [details[0]["detail"]] * 2
        problem(await api("POST", f"/api/bob/tasks/{theirs}/restore"), 403)
        problem(await api("GET", f"/api/bob/tasks/{theirs}", user="bob"), 404)

    async def test_restored_tasks_are_back_at_their_place_on_every_page(self, api: Api) -> None:
        tasks = [await api.task(f"{number}") for number in range(7)]
        for number in (1, 3, 6):
            await api("DELETE", f"{LIST}/{tasks[number]['id']}")
        first = (await api("GET", LIST, params={"limit": 2})).json()
        assert [task["title"] for task in first["data"]] == ["0", "2"]
        for number in (6, 1, 3):
            await api("POST", f"{LIST}/{tasks[number]['id']}/restore")
        rest = await api("GET", LIST, params={"limit": 9, "cursor": first["next_cursor"]})
        assert [task["title"] for task in rest.json()["data"]] == ["3", "4", "5", "6"]
        assert [task["title"] for task in (await api("GET", LIST)).json()["data"]] == list("0123456")
        by_update = (await api("GET", f"{LIST}?sort=updated_at")).json()["data"]
        assert [task["title"] for task in by_update] == list("0245613")

    async def test_restoring_takes_no_body_or_an_empty_object(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        as_json = {"Content-Type": "application/json"}
        nothing: list[dict[str, Any]] = [
            {},
            {"headers": as_json},
            {"headers": {"Content-Type": "text/plain"}},
            {"json": {}},
        ]
        for more in nothing:
            await api("DELETE", one)
            assert (await api("POST", f"{one}/restore", **more)).status_code == 200
        await api("DELETE", one)
        for body, pointer in (({"completed": True}, "/completed"), ([], ""), (None, ""), ("x", "")):
            refused = await api("POST", f"{one}/restore", content=json.dumps(body), headers=as_json)
            assert [error["pointer"] for error in errors(refused)] == [pointer]
        problem(await api("POST", f"{one}/restore", content="{", headers=as_json), 400)
        problem(await api("POST", f"{one}/restore", content="{}", headers={"Content-Type": "text/plain"}), 415)
        problem(await api("POST", f"{one}/restore", content="{}"), 415)
        problem(await api("POST", f"{one}/restore", content=" " * 70_000, headers=as_json), 413)
        problem(await api("GET", one), 404)

    async def test_a_tombstone_is_restored_from_the_revision_of_its_deletion_only(self, api: Api) -> None:
        restore = f"{LIST}/{(await api.task())['id']}/restore"
        await api("DELETE", restore.removesuffix("/restore"))
        for stale in ("*", '"1"', 'W/"2"', '"3"', '"x"', f'"{10**30}"'):
            problem(await api("POST", restore, headers={"If-Match": stale}), 412)
        problem(await api("GET", restore.removesuffix("/restore")), 404)
        assert (await api("GET", LIST)).headers["ETag"] == '"2"'
        restored = await api("POST", restore, headers={"If-Match": '"9", "2"'})
        assert (restored.status_code, restored.headers["ETag"]) == (200, '"3"')

    async def test_a_condition_on_restoring_a_live_task_is_checked_as_on_any_task(self, api: Api) -> None:
        task = await api.task()
        restore = f"{LIST}/{task['id']}/restore"
        for known in ("*", '"1"', '"7", "1"'):
            assert (await api("POST", restore, headers={"If-Match": known})).json() == task
        for stale in ('"2"', 'W/"1"'):
            problem(await api("POST", restore, headers={"If-Match": stale}), 412)
        for anything in ("*", '"1"'):
            problem(await api("POST", f"{LIST}/{NOBODYS}/restore", headers={"If-Match": anything}), 404)

    # Bodies: what breaks a rule

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, ""),
            ({"title": ""}, "/title"),
            ({"title": " \t"}, "/title"),
            ({"title": "x" * 256}, "/title"),
            ({"title": None}, "/title"),
            ({"title": 5}, "/title"),
            ({"title": "a\0b"}, "/title"),
            ({"title": "x", "description": "y" * 2001}, "/description"),
            ({"title": "x", "description": 5}, "/description"),
            ({"title": "x", "titel": "y"}, "/titel"),
            ({"title": "x", "completed": True}, "/completed"),
            ([], ""),
            ("x", ""),
        ],
    )
    async def test_a_new_task_that_breaks_a_rule_is_refused_with_an_explanation(
        self, api: Api, body: object, pointer: str
    ) -> None:
        answer = await api("POST", LIST, json=body)
        assert [error["pointer"] for error in errors(answer)] == [pointer]
        assert all(error["detail"] for error in errors(answer))
        assert (await api("GET", LIST)).headers["ETag"] == '"0"'

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"title": None}, "/title"),
            ({"title": " "}, "/title"),
            ({"completed": "true"}, "/completed"),
            ({"completed": 1}, "/completed"),
            ({"completed": None}, "/completed"),
            ({"complete": True}, "/complete"),
        ],
    )
    async def test_an_update_that_breaks_a_rule_is_refused_with_an_explanation(
        self, api: Api, body: object, pointer: str
    ) -> None:
        task = await api.task()
        for method in ("PUT", "PATCH"):
            answer = await api(method, f"{LIST}/{task['id']}", json=body)
            assert [error["pointer"] for error in errors(answer)] == [pointer]
        assert (await api("GET", f"{LIST}/{task['id']}")).json() == task

    async def test_lengths_are_counted_in_code_points(self, api: Api) -> None:
        assert (await api.task("😀" * 255, description="😀" * 2000))["title"] == "😀" * 255

    @pytest.mark.parametrize("body", [{"title": " "}, {"title": "x" * 256}, {"description": "y" * 2001}])
    async def test_rules_are_checked_before_the_task_and_its_revision_are_read(
        self, api: Api, body: dict[str, Any]
    ) -> None:
        task = await api.task()
        for method in ("PUT", "PATCH"):
            assert errors(await api(method, f"{LIST}/{NOBODYS}", json=body))
            assert errors(await api(method, f"{LIST}/{task['id']}", json=body, headers={"If-Match": '"9"'}))

    @pytest.mark.parametrize(
        ("member", "pointer"),
        [
            ("a b", "/a b"),
            ("a/b~c", "/a~1b~0c"),
            ("", "/"),
            ("` - at `$.x", "/` - at `$.x"),
            ("\ud800", ""),
            ("x" * 500, f"/{'x' * 100}"),
        ],
    )
    async def test_an_unknown_member_is_named_by_a_pointer_whatever_its_name(
        self, api: Api, member: str, pointer: str
    ) -> None:
        body = json.dumps({"title": "x", member: 1})
        answer = await api("POST", LIST, content=body, headers={"Content-Type": "application/json"})
        assert [error["pointer"] for error in errors(answer)] == [pointer]

    # Ids

    @pytest.mark.parametrize(
        "task_id",
        ["1", "x" * 300, "%00", "{%s}", "urn:uuid:%s", "UPPER", "PLAIN", "99999999999999999999999999999999999999"],
    )
    async def test_an_id_in_another_form_is_no_task(self, api: Api, task_id: str) -> None:
        real = (await api.task())["id"]
        spelled = {"UPPER": real.upper(), "PLAIN": real.replace("-", "")}.get(task_id, task_id)
        for method, suffix in (("GET", ""), *CHANGES):
            problem(await api(method, f"{LIST}/{spelled.replace('%s', real)}{suffix}", json={}), 404)

    @pytest.mark.parametrize("user", ["auth0|42", "a b", "ünï", "a%2Fb", "a+b", "x@example.org"])
    async def test_any_subject_has_a_list_of_its_own(self, api: Api, user: str) -> None:
        path = f"/api/{quote(user, safe='')}/tasks"
        created = await api("POST", path, user=user, json={"title": "Mine"})
        assert (created.status_code, created.json()["user_id"]) == (201, user)
        assert (await api("GET", created.headers["Location"], user=user)).json() == created.json()

    # Part 2: revisions

    async def test_a_task_that_the_client_has_is_not_sent_again(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
            answer = await api("GET", one, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')
        for other in ('"2"', "1", '"x"', "", '"01"'):
            assert (await api("GET", one, headers={"If-None-Match": other})).status_code == 200

    async def test_a_list_that_the_client_has_is_not_sent_again(self, api: Api) -> None:
        assert (await api("GET", LIST)).headers["ETag"] == '"0"'
        assert (await api("GET", LIST, headers={"If-None-Match": '"0"'})).status_code == 304
        await api.task()
        answer = await api("GET", LIST, headers={"If-None-Match": '"0"'})
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
        answer = await api("GET", LIST, headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')

    @pytest.mark.parametrize(("method", "suffix"), [("PUT", ""), ("PATCH", ""), ("PATCH", "/complete"), ("DELETE", "")])
    async def test_a_change_goes_on_only_from_the_revision_the_client_names(
        self, api: Api, method: str, suffix: str
    ) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        body = {"completed": True}
        for stale in ('"2"', 'W/"1"', '"x"', '"7", "8"', '"01"', f'"{10**30}"'):
            details = problem(await api(method, f"{one}{suffix}", json=body, headers={"If-Match": stale}), 412)
            assert "get it again" in details["detail"]
        assert (await api("GET", one)).json()["revision"] == 1
        fresh = await api(method, f"{one}{suffix}", json=body, headers={"If-Match": '"9", "1"'})
        assert fresh.status_code in {200, 204}

    async def test_a_star_matches_any_revision(self, api: Api) -> None:
        one = f"{LIST}/{(await api.task())['id']}"
        assert (await api("PUT", one, json={"title": "x"}, headers={"If-Match": "*"})).status_code == 200
        assert (await api("PUT", f"{LIST}/{NOBODYS}", json={}, headers={"If-Match": "*"})).status_code == 404

    @pytest.mark.parametrize("header", ["", "1", '"1', "1, 2", '"1" "2"'])
    async def test_a_malformed_condition_is_refused_with_an_explanation(self, api: Api, header: str) -> None:
        for task_id in ((await api.task())["id"], "no-such-task"):
            for method, suffix in CHANGES:
                answer = await api(method, f"{LIST}/{task_id}{suffix}", json={}, headers={"If-Match": header})
                assert "ETag" in problem(answer, 400)["detail"]

    async def test_a_listed_tasks_revision_is_its_entity_tag(self, api: Api) -> None:
        await api.task("first")
        await api.task("second")
        listed = (await api("GET", LIST)).json()["data"]
        for task in listed:
            answer = await api("GET", f"{LIST}/{task['id']}")
            assert answer.headers["ETag"] == f'"{task["revision"]}"'

    # Part 2: lists

    async def test_pages_lead_to_each_other_by_cursor_and_by_link(self, api: Api) -> None:
        titles = [f"task {number}" for number in range(5)]
        for title in titles:
            await api.task(title)
        by_cursor, by_link = [], []
        parameters: dict[str, Any] = {"limit": 2}
        while True:
            answer = await api("GET", LIST, params=parameters)
            by_cursor += [task["title"] for task in answer.json()["data"]]
            if answer.json()["next_cursor"] is None:
                assert "Link" not in answer.headers
                break
            parameters["cursor"] = answer.json()["next_cursor"]
        path: str | None = f"{LIST}?limit=2&sort=created_at"
        while path is not None:
            answer = await api("GET", path)
            by_link += [task["title"] for task in answer.json()["data"]]
            link = re.fullmatch(r'<(/[^>]+)>; rel="next"', answer.headers.get("Link", ""))
            path = link and link[1]
        assert by_cursor == by_link == titles

    async def test_lists_are_filtered_searched_and_sorted(self, api: Api) -> None:
        milk, bread = await api.task("Milk"), await api.task("Bread", description="with MILK")
        await api("PATCH", f"{LIST}/{milk['id']}/complete")

        async def found(query: str) -> list[str]:
            return [task["title"] for task in (await api("GET", f"{LIST}?{query}")).json()["data"]]

        assert await found("") == ["Milk", "Bread"]
        assert await found("completed=true") == ["Milk"]
        assert await found("completed=false") == ["Bread"]
        assert await found("q=milk") == ["Milk", "Bread"]
        assert await found("q=with+milk") == ["Bread"]
        assert await found("q=%25") == []
        assert await found("q=&cursor=") == ["Milk", "Bread"]
        assert await found("sort=-created_at") == ["Bread", "Milk"]
        assert await found("sort=updated_at") == ["Bread", "Milk"]
        assert await found("sort=-updated_at&limit=1") == ["Milk"]
        assert bread["revision"] == 2

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e1", "limit"),
            ("limit=", "limit"),
            ("limit=%D9%A1", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("completed=1", "completed"),
            ("completed=True", "completed"),
            ("completed=", "completed"),
            ("sort=title", "sort"),
            ("sort=", "sort"),
            (f"q={'x' * 256}", "q"),
            ("q=%00", "q"),
            ("deleted=yes", "deleted"),
            ("deleted=true&sort=-updated_at", "sort"),
            ("sort=-deleted_at", "sort"),
            ("cursor=x", "cursor"),
            ("cursor=%FF", "cursor"),
            ("cursor=WzFd", "cursor"),
            ("offset=5", "offset"),
            ("limit=1&limit=2", "limit"),
            ("limit=1&limit=1", "limit"),
            ("title=x", "title"),
        ],
    )
    async def test_a_parameter_out_of_range_is_refused_with_an_explanation(
        self, api: Api, query: str, parameter: str
    ) -> None:
        answer = await api("GET", f"{LIST}?{query}")
        assert [error["parameter"] for error in errors(answer)] == [parameter]

    async def test_deleted_tasks_can_be_listed_to_be_restored(self, api: Api) -> None:
        one, two, three = [await api.task(title) for title in ("one", "two", "three")]
        for task in (three, one):
            await api("DELETE", f"{LIST}/{task['id']}")
        first = await api("GET", f"{LIST}?deleted=true&limit=1")
        [gone] = first.json()["data"]
        assert gone == one | {key: gone[key] for key in ("updated_at", "deleted_at", "revision")}
        assert gone["deleted_at"] == gone["updated_at"] > one["updated_at"]
        assert f'"{gone["revision"]}"' == first.headers["ETag"]
        rest = (await api("GET", first.headers["Link"].partition(">")[0].removeprefix("<"))).json()
        assert ([task["id"] for task in rest["data"]], rest["next_cursor"]) == ([three["id"]], None)
        same = await api("GET", f"{LIST}?deleted=true&sort=-deleted_at")
        assert [task["id"] for task in same.json()["data"]] == [one["id"], three["id"]]
        assert (await api("GET", f"{LIST}?deleted=true&q=THREE")).json()["count"] == 1
        assert (await api("GET", f"{LIST}?deleted=false")).json()["data"] == [two]
        assert "deleted_at" not in (await api("POST", f"{LIST}/{one['id']}/restore")).json()
        assert (await api("GET", f"{LIST}?deleted=true")).json()["count"] == 1
        assert (await api("GET", "/api/bob/tasks?deleted=true", user="bob")).json()["data"] == []

    async def test_a_cursor_is_refused_with_other_filters_but_not_with_another_limit(self, api: Api) -> None:
        for _ in range(3):
            await api.task()
        cursor = (await api("GET", f"{LIST}?limit=1&q=milk")).json()["next_cursor"]
        for other in ("", "&q=bread", "&q=milk&completed=false", "&q=milk&sort=-created_at"):
            assert errors(await api("GET", f"{LIST}?cursor={cursor}{other}"))[0]["parameter"] == "cursor"
        assert (await api("GET", f"{LIST}?cursor={cursor}&q=milk&limit=7")).json()["count"] == 2

    @pytest.mark.parametrize(
        "instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"]
    )
    async def test_a_forged_cursor_is_refused(self, api: Api, instant: str) -> None:
        await api.task()
        await api.task()
        real = (await api("GET", f"{LIST}?limit=1&sort=updated_at")).json()["next_cursor"]
        filters, at, task_id, revision = json.loads(urlsafe_b64decode(real + "=="))
        made_up = [filters, instant, task_id, revision], *([filters, at, task_id, one] for one in (-1, 2**63, "1"))
        for members in made_up:
            forged = urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
            answer = await api("GET", f"{LIST}?sort=updated_at&cursor={forged}")
            assert errors(answer)[0]["parameter"] == "cursor"

    async def test_the_link_to_the_next_page_stays_on_this_host(self, api: Api) -> None:
        await api.task()
        await api.task()
        answer = await api("GET", httpx.URL("http://api.test").copy_with(raw_path=b"//api/alice/tasks/?limit=1"))
        assert answer.headers["Link"].startswith("</api/alice/tasks?limit=1&cursor=")

    async def test_a_cursor_works_only_for_its_own_list(self, api: Api) -> None:
        for _ in range(3):
            await api.task("hers")
        cursor = (await api("GET", f"{LIST}?limit=1")).json()["next_cursor"]
        answer = await api("GET", f"/api/bob/tasks?cursor={cursor}", user="bob")
        assert answer.json()["data"] == []

    async def test_head_answers_as_get_does_without_the_body(self, api: Api) -> None:
        task = await api.task()
        for path in (LIST, f"{LIST}/{task['id']}", f"{LIST}/{NOBODYS}"):
            got, headed = await api("GET", path), await api("HEAD", path)
            assert (headed.status_code, headed.content) == (got.status_code, b"")
            ignored = {"x-request-id", "ratelimit"}
            assert {name: value for name, value in headed.headers.items() if name not in ignored} == {
                name: value for name, value in got.headers.items() if name not in ignored
            }
