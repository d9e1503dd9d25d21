"""GET …/tasks/changes as its clients see it: inherited by one test class per storage."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.api import Api

LIST = "/api/alice/tasks"
CHANGES = f"{LIST}/changes"


async def changes(api: Api, since: str | None = None, **parameters: int) -> dict[str, Any]:
    query = {**parameters, **({} if since is None else {"since": since})}
    answer = await api("GET", httpx.URL(CHANGES, params=query))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found.keys() == {"data", "deleted", "count", "sync_token", "has_more"}
    assert found["count"] == len(found["data"])
    assert 0 < len(found["sync_token"]) <= 128
    return found


class ChangesOverHttpContract:
    @pytest.fixture
    def api(self) -> Api:
        raise NotImplementedError("each storage's class returns its own")

    async def test_a_client_follows_a_list_page_by_page(self, api: Api) -> None:
        one, two, three = [await api.task(title) for title in ("one", "two", "three")]
        first = await changes(api, limit=2)
        assert (first["data"], first["deleted"], first["has_more"]) == ([one, two], [], True)
        await api("DELETE", f"{LIST}/{one['id']}")
        done = (await api("PATCH", f"{LIST}/{two['id']}/complete")).json()
        second = await changes(api, first["sync_token"], limit=2)
        assert (second["data"], second["deleted"], second["has_more"]) == ([three], [one["id"]], True)
        third = await changes(api, second["sync_token"])
        assert (third["data"], third["deleted"], third["has_more"]) == ([done], [], False)
        assert await changes(api, third["sync_token"]) == third | {"data": [], "count": 0}

    async def test_an_empty_list_has_a_token_to_continue_from(self, api: Api) -> None:
        nothing = await changes(api)
        assert (nothing["data"], nothing["deleted"], nothing["has_more"]) == ([], [], False)
        task = await api.task()
        assert (await changes(api, nothing["sync_token"]))["data"] == [task]
        assert (await changes(api, ""))["data"] == [task]

    @pytest.mark.parametrize("token", ["x", "AQ", "AAAA", "0", "%00", "é", "a" * 20, "_" * 128, "A" * 5000])
    async def test_a_token_that_is_not_ours_has_expired(self, api: Api, token: str) -> None:
        answer = await api("GET", f"{CHANGES}?since={quote(token)}")
        assert answer.status_code == 410
        problem = answer.json()
        assert problem["type"] == "urn:problem-type:evo-todo:sync-token-expired"
        assert "since" in problem["detail"]

    async def test_a_token_of_another_list_or_with_a_bit_changed_has_expired(self, api: Api) -> None:
        await api.task()
        token = (await changes(api))["sync_token"]
        his = await api("GET", f"/api/bob/tasks/changes?since={token}", user="bob")
        assert his.status_code == 410
        for place in range(len(token)):
            other = token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
            assert (await api("GET", f"{CHANGES}?since={other}")).status_code in {200, 410}
        assert (await api("GET", f"{CHANGES}?since={token}=")).status_code == 410

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            (f"limit={'9' * 4301}", "limit"),
            ("limit=1&limit=1", "limit"),
            ("cursor=x", "cursor"),
            ("completed=true", "completed"),
        ],
    )
    async def test_a_parameter_that_breaks_a_rule_is_422(self, api: Api, query: str, parameter: str) -> None:
        answer = await api("GET", f"{CHANGES}?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == parameter

    async def test_it_is_one_users_own_and_read_only(self, api: Api) -> None:
        assert (await api("GET", CHANGES, user="bob")).status_code == 403
        refused = await api("POST", CHANGES, json={"title": "x"})
        assert refused.status_code == 405
        assert set(refused.headers["Allow"].split(", ")) - {"OPTIONS"} == {"GET", "HEAD"}
        headed = await api("HEAD", CHANGES)
        assert (headed.status_code, headed.content) == (200, b"")

    async def test_after_a_restoration_the_task_is_back(self, api: Api) -> None:
        task = await api.task()
        path = f"{LIST}/{task['id']}"
        await api("DELETE", path)
        token = (await changes(api))["sync_token"]
        back = (await api("POST", f"{path}/restore")).json()
        assert (await changes(api, token))["data"] == [back]
