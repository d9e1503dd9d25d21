"""The commands of the README and of docs/live.md, run exactly as they are written."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import TIMEOUT, eventually, running

README = Path(__file__).parents[3] / "README.md"

LIVE = README.parent / "docs" / "live.md"

# For machines without curl: supports only the options that these pages use.
CURL = """#!{python}
import sys, httpx
words = sys.argv[1:]
options = {{"-H": [], "-d": [], "-X": [], "": []}}
while words:
    word = words.pop(0)
    if word in options:
        options[word].append(words.pop(0))
    elif not word.startswith("-"):
        options[""].append(word)
headers = dict(header.split(": ", 1) for header in options["-H"])
method = (options["-X"] or ["POST" if options["-d"] else "GET"])[0]
content = "".join(options["-d"]) or None
with httpx.stream(
    method, options[""][0], headers=headers, content=content, trust_env=False, timeout=None
) as answer:
    for text in answer.iter_text():
        print(text, end="", flush=True)
"""


@pytest.fixture
def path_with_curl(tmp_path: Path) -> str:
    if shutil.which("curl") is None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "curl").write_text(CURL.format(python=sys.executable))
        (tmp_path / "bin" / "curl").chmod(0o755)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


def blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_first_request_creates_a_task(tmp_path: Path, path_with_curl: str) -> None:
    request = next(block for block in blocks(README) if "curl" in block)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with running("dev", folder=tmp_path, settings={}) as service:
        ran = subprocess.run(
            ["sh", "-euc", request.replace(":8000", f":{service.port}")],
            cwd=tmp_path,
            env={"PATH": path_with_curl, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    assert json.loads(ran.stdout)["title"] == "Buy milk"


def test_one_terminal_sees_what_the_other_does(tmp_path: Path, path_with_curl: str) -> None:
    setup, watch, *others = blocks(LIVE)
    resume = others.pop(1)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    watched, environment = tmp_path / "watched", {"PATH": path_with_curl, "HOME": str(tmp_path)}
    with running("dev", folder=tmp_path, settings={}) as service, watched.open("wb") as output:

        def terminal(commands: str) -> list[str]:
            return ["sh", "-euc", (setup + commands).replace(":8000", f":{service.port}")]

        def has_seen(*events: str) -> bool:
            return re.findall(r"^event: (\S+)", watched.read_text(), re.MULTILINE) == [*events]

        watching = subprocess.Popen(
            terminal(f"exec {watch.strip()}"), cwd=tmp_path, env=environment, stdout=output, stdin=subprocess.DEVNULL
        )
        try:
            eventually(lambda: has_seen("ready"))
            answers = [
                subprocess.run(
                    terminal(block),
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT,
                    check=True,
                ).stdout
                for block in others
            ]
            created, changes, repeated, undone = answers
            eventually(lambda: has_seen("ready", *["task.changed"] * 2, "task.deleted", "task.changed"))
        finally:
            watching.kill()
            watching.wait()
        assert json.loads(created)["title"] == "Buy milk"
        assert json.loads(changes)["data"] == [json.loads(created)]
        first, _, second = repeated.partition("}{")
        assert first.strip("{}") == second.strip("{}")
        assert '"deleted_at"' in undone
        assert "Last-Event-ID" in resume
