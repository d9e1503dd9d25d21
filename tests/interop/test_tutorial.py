"""docs/tutorial.md and the how-to pages that go on from it, as written but for ports and installations."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.code_blocks import shell_blocks, titled_blocks
from tests.support.frontend import FRONTEND
from tests.support.postgres_local import free_port
from tests.support.service import TIMEOUT, end, environment, eventually, running

MODULES = FRONTEND.parent / "node_modules"
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
OWN_APP = "how-to/your-own-app.md"


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
    _, make_secret, start, *_ = shell_blocks(PAGE)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-euc", make_secret + start.replace("node ", "exec node ")],
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
    install, _, _, serve, sign_up, first_task, other_user, doctor = shell_blocks(PAGE)
    assert install.splitlines()[-1].startswith("npm install better-auth ")
    assert serve.endswith("evo-todo serve --migrate\n")
    settings = dict(line.removeprefix("export ").split("=", 1) for line in serve.splitlines() if "export" in line)
    settings = {name: value.replace(":3000", f":{port}") for name, value in settings.items()}
    [sign_out] = shell_blocks(SIGN_OUT)
    assert "\nsleep 2\n" in sign_out, "replaced, because a busy machine may need longer"
    sign_out = sign_out.replace("\nsleep 2\n", f"\n{UNTIL_REVOKED}\n")
    exports = "".join(line for line in serve.splitlines(keepends=True) if "export" in line)
    explain = f'({exports}echo "$TOKEN" | {doctor.strip()}) > explained\n'
    commands = f"{sign_up}{first_task}{other_user}{explain}{IN_A_PAGE}{sign_out}".replace(":3000", f":{port}")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with (
        better_auth(tmp_path, port, api_port),
        running("serve", "--migrate", folder=tmp_path, settings=settings | {"EVO_TODO_PORT": str(api_port)}),
    ):
        ran = subprocess.run(
            ["sh", "-euc", commands.replace(":8000", f":{api_port}")],
            cwd=tmp_path,
            env=environment({"EVO_TODO_CORS_ORIGINS": f"http://localhost:{port}"}, tmp_path),
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
    assert "\nok    token            accepted " in (tmp_path / "explained").read_text()


def test_an_own_app_accepts_the_same_tokens(tmp_path: Path) -> None:
    port, app_port = free_port(), free_port()
    sign_up = shell_blocks(PAGE)[4]
    install, serve, call = shell_blocks(OWN_APP)
    assert install == "pip install httpx joserfc\n"
    for name, text in titled_blocks(OWN_APP).items():
        (tmp_path / name).write_text(text)
    here = environment({"PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"}, tmp_path)

    def in_a_terminal(commands: str) -> "subprocess.Popen[bytes]":
        commands = commands.replace(":3000", f":{port}").replace("8001", f"{app_port}")
        return subprocess.Popen(
            ["sh", "-euc", commands], cwd=tmp_path, env=here, stdout=subprocess.PIPE, start_new_session=True
        )

    with better_auth(tmp_path, port, free_port()), in_a_terminal(serve) as app:
        try:
            eventually(lambda: httpx.get(f"http://127.0.0.1:{app_port}/notes", trust_env=False).status_code == 401)
            printed, _ = in_a_terminal(f"{sign_up}{call}").communicate(timeout=TIMEOUT)
        finally:
            end(app)
    assert read_documents(printed.decode())[-1] == []


def read_documents(text: str) -> list[Any]:
    """JSON documents without anything between them."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found
