"""The README's first request, run exactly as it is written."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import TIMEOUT, running

README = Path(__file__).parents[3] / "README.md"

# For machines without curl: supports only the options that the README uses.
CURL = """#!{python}
import sys, httpx
words = sys.argv[1:]
options = {{"-H": [], "-d": [], "": []}}
while words:
    word = words.pop(0)
    if word in options:
        options[word].append(words.pop(0))
    elif not word.startswith("-"):
        options[""].append(word)
headers = dict(header.split(": ", 1) for header in options["-H"])
print(httpx.post(options[""][0], headers=headers, content="".join(options["-d"]), trust_env=False).text)
"""


@pytest.fixture
def path_with_curl(tmp_path: Path) -> str:
    if shutil.which("curl") is None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "curl").write_text(CURL.format(python=sys.executable))
        (tmp_path / "bin" / "curl").chmod(0o755)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


def test_the_first_request_creates_a_task(tmp_path: Path, path_with_curl: str) -> None:
    request = next(block for block in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL) if "curl" in block)
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
