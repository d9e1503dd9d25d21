"""docs/tutorial.md and docs/how-to/sign-out.md, as written but for ports and npm install."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.code_blocks import shell_blocks, titled_blocks
from tests.support.postgres_local import free_port
from tests.support.service import TIMEOUT, eventually, running

MODULES = Path(__file__).parents[2] / "node_modules"
PAGE = "tutorial.md"


IN_A_PAGE = """
export ME COOKIE=$(awk '/session_token/ { print $6 "=" $7 }' cookies)
node --input-type=module -e '
  import { listTasks } from "./tasks.mjs"
  const real = fetch  // it has no cookie jar, unlike that of a browser
  globalThis.fetch = (url, options) => real(url, { headers: { cookie: process.env.COOKIE }, ...options })
  console.log(JSON.stringify(await listTasks(process.env.ME)))
'
"""
"""What a browser does with tasks.mjs."""
UNTIL_REVOKED = """
for second in $(seq 60); do
  curl -s $TASKS -H "Authorization: Bearer $TOKEN" | grep -q '"status":401' && break
  sleep 1
done
"""
SIGN_OUT = "how-to/sign-out.md"


@contextmanager
def better_auth(folder: Path, port: int, api_port: int) -> Iterator[None]:
    """The tutorial's Better Auth, with the plugin of the page about signing out."""
    files = titled_blocks(PAGE) | titled_blocks(SIGN_OUT)
    import_line, plugins_line = files.pop("changes to auth.mjs").splitlines()
    auth = files["auth.mjs"]
    assert auth.count("  plugins: [jwt(jwtOptions)],\n") == 1
    files["auth.mjs"] = import_line + "\n" + auth.replace("  plugins: [jwt(jwtOptions)],", plugins_line)
    (folder / "node_modules").symlink_to(MODULES)
    for name, text in files.items():
        text_here = re.sub(r"(?<=[:(])3000\b", str(port), text).replace(":8000", f":{api_port}")
        (folder / name).write_text(text_here)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-euc", shell_blocks(PAGE)[1].replace("node auth", "exec node auth")],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: "Better Auth on" in log.read_text())
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def test_the_tutorial_leads_to_a_task_and_signing_out_holds(tmp_path: Path) -> None:
    port, api_port = free_port(), free_port()
    install, _, serve, sign_up, first_task, other_user = shell_blocks(PAGE)
    assert install.splitlines()[-1].startswith("npm install better-auth ")
    assert serve.endswith("evo-todo serve --migrate\n")
    settings = dict(line.removeprefix("export ").split("=", 1) for line in serve.splitlines() if "export" in line)
    settings = {name: value.replace(":3000", f":{port}") for name, value in settings.items()}
    [sign_out] = shell_blocks(SIGN_OUT)
    assert "\nsleep 2\n" in sign_out, "replaced, because a busy machine may need longer"
    sign_out = sign_out.replace("\nsleep 2\n", f"\n{UNTIL_REVOKED}\n")
    commands = f"{sign_up}{first_task}{other_user}{IN_A_PAGE}{sign_out}".replace(":3000", f":{port}")
    with (
        better_auth(tmp_path, port, api_port),
        running("serve", "--migrate", folder=tmp_path, settings=settings | {"EVO_TODO_PORT": str(api_port)}),
    ):
        ran = subprocess.run(
            ["sh", "-euc", commands.replace(":8000", f":{api_port}")],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    _, created, listed, refused, in_a_page, signed_out, revoked = read_documents(ran.stdout)
    assert created["title"] == "Buy milk"
    assert listed["data"] == [created]
    assert refused["status"] == 403
    assert in_a_page == listed["data"]
    assert signed_out == {"success": True}
    assert revoked["status"] == 401


def read_documents(text: str) -> list[Any]:
    """JSON documents without anything between them."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found
