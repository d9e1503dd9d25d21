"""haproxy and nginx in front of the service: set to use one connection for everybody's requests, or as they come."""

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL

from tests.support.postgres_local import free_port
from tests.support.service import HOST, TIMEOUT, eventually

HAPROXY_START = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend people
    bind {host}:{port}
    default_backend service
backend service
"""
"""With the time-outs of Debian's package; it does not start well without any."""

NGINX_START = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/responses;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""

HAPROXY = (
    HAPROXY_START
    + """    timeout server 5s
    http-reuse always
    http-request replace-path /todo(/.*) \\1
    server only {host}:{service}
"""
)

NGINX = (
    NGINX_START
    + """    upstream service {{
        server {host}:{service};
        keepalive 1;
    }}
    server {{
        listen {host}:{port};
        location /todo/ {{
            proxy_pass http://service/;
        }}
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_read_timeout 5s;
        }}
    }}
}}
"""
)

HAPROXY_DEFAULT = HAPROXY_START + "    {lines}\n    server only {host}:{service}\n"

NGINX_DEFAULT = (
    NGINX_START
    + """    server {{
        listen {host}:{port};
        {lines}
    }}
}}
"""
)
"""Buffers responses, and speaks HTTP/1.0 to the service."""

PASS = f"location / {{ proxy_pass http://{HOST}:8000; }}"

COMMANDS = {
    "haproxy": (HAPROXY, ("-db", "-f")),
    "nginx": (NGINX, ("-e", "stderr", "-c")),
    "haproxy-default": (HAPROXY_DEFAULT, ("-db", "-f")),
    "nginx-default": (NGINX_DEFAULT, ("-e", "stderr", "-c")),
}


def program(name: str) -> str:
    """Its path, also where administrators' programs are in no user's search path."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    assert found, f"{name} not found: apt-get install {name}"
    return found


@contextmanager
def proxy(name: str, service_port: int, folder: Path, lines: str = "") -> Generator[int]:
    """Start the proxy on a free port, which this yields.

    `lines` of a document, for the service at port 8000, take the place of PASS in `nginx-default`, and come before the
    server in `haproxy-default`.
    """
    template, options = COMMANDS[name]
    lines = (lines or (PASS if name == "nginx-default" else "")).replace(":8000", f":{service_port}")
    port = free_port()
    file = folder / f"{name}.conf"
    file.write_text(template.format(host=HOST, port=port, service=service_port, folder=folder, lines=lines))
    process = subprocess.Popen([program(name.partition("-")[0]), *options, str(file)], stdin=DEVNULL, stdout=DEVNULL)
    try:
        eventually(lambda: process.poll() is not None or is_listening(port))
        assert process.poll() is None, f"{name} has exited"
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(TIMEOUT)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
