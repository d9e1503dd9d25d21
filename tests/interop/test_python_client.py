"""The example of clients/python/README.md, as written but for its addresses: with a session of a real Better Auth."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import evo_todo_client
from evo_todo_client import Client
from tests.support.frontend import Frontend, Person
from tests.support.service import TIMEOUT, Service, end, environment

PACKAGE = Path(evo_todo_client.__file__).parents[1]
README = (PACKAGE.parent / "README.md").read_text()


def test_the_example_changes_a_task_and_follows_the_list(
    web: Frontend, api: Service, alice: Person, tmp_path: Path
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example = example.replace("https://todo.example.com", web.address)
    example = example.replace("https://api.example.com", api.url).replace('"alice"', repr(alice.user_id))
    (tmp_path / "example.py").write_text(f"session_cookies = {dict(alice.http.cookies)!r}\n{example}")
    process = subprocess.Popen(
        [sys.executable, "-u", "example.py"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(PACKAGE)}, tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    hang = threading.Timer(TIMEOUT, process.kill)
    hang.start()
    try:
        assert process.stdout.readline().startswith("Reset(")
        with Client(f"{api.url}/api", alice.token) as client:
            [task] = client.list_tasks(alice.user_id)
            assert (task.title, task.completed) == ("Buy milk", True), "the second change was refused"
            client.delete_task(alice.user_id, task.id)
        assert process.stdout.readline().startswith(f"Deleted(task_id='{task.id}'")
    finally:
        hang.cancel()
        end(process)
        process.stdout.close()
