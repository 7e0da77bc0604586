"""Uploading and loading by name, against a small server in place of the Hugging Face hub."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch
from safetensors.torch import load_file

import rmae

COMMIT = "a" * 40


class HubHandler(BaseHTTPRequestHandler):
    """Keeps the files of commits by name; knows a single repository."""

    files: dict[str, bytes]
    created: list[dict]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "Bearer right" not in self.headers.get("Authorization", ""):
            return self._answer({"error": "Invalid credentials"}, status=401)
        if self.path == "/api/repos/create":
            self.created.append(json.loads(body))
            return self._answer({"url": "https://huggingface.co/org/name"})
        if "/preupload/" in self.path:
            files = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            return self._answer({"files": [file | {"shouldIgnore": False} for file in files]})
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self._answer({"commitOid": COMMIT, "commitUrl": f"https://huggingface.co/org/name/commit/{COMMIT}"})
        return self._answer({})

    def do_GET(self) -> None:
        place = self.path.partition("?")[0]
        if "/tree/" in place:
            return self._answer([{"type": "file", "path": name, **self._about(name)} for name in self.files])
        if place.startswith("/api/models/org/name") and self.files:
            names = [{"rfilename": name} for name in self.files]
            return self._answer({"id": "org/name", "sha": COMMIT, "siblings": names})
        name = place.rpartition("/")[2]
        if place.startswith("/org/name/resolve/") and name in self.files:
            return self._answer(self.files[name], ETag=f'"{self._about(name)["oid"]}"')
        return self._answer({"error": "Repository not found"}, status=404, **{"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _about(self, name: str) -> dict:
        return {"size": len(self.files[name]), "oid": hashlib.sha1(self.files[name]).hexdigest()}

    def _answer(self, content: bytes | dict | list, *, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers | {"X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hub_server() -> Iterator[tuple[str, type[HubHandler]]]:
    """Serve at an address of this machine; gives it and what was received there."""
    handler = type("Handler", (HubHandler,), {"files": {}, "created": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# The library reads the hub's address when it is imported, so it runs in a process of its own.
PROGRAM = """
import sys
import rmae
model = rmae.load(sys.argv[1])
for what, do in {
    "push": lambda: model.push_to_hub("org/name"),
    "push badly": lambda: model.push_to_hub("no good name"),
    "load": lambda: rmae.load("org/name").save_pretrained(sys.argv[2]),
    "load other": lambda: rmae.load("org/other"),
}.items():
    try:
        do()
    except ValueError as error:
        print(what, "|", str(error).replace("\\n", " "))
"""


LOAD = "import sys, rmae; rmae.load('org/name').save_pretrained(sys.argv[2])"


def run(folder, address, token="right", program=PROGRAM):
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "cache"), "HF_TOKEN": token}
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        [sys.executable, "-c", program, folder / "model", folder / "loaded"],
        env={**os.environ, **settings, **quiet, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return dict(line.split(" | ", maxsplit=1) for line in ended.stdout.splitlines())


@pytest.mark.slow
def test_what_is_uploaded_is_loaded_by_name(make_model, same_model, tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "model")
    with hub_server() as (address, hub):
        said = run(tmp_path, address)

    assert hub.created[0]["name"] == "name"
    assert hub.created[0]["organization"] == "org"
    assert set(hub.files) == {"README.md", "config.json", "model.safetensors"}
    assert '\nmodel = rmae.load("org/name").eval()\n' in hub.files["README.md"].decode()
    assert hub.files["model.safetensors"] == (tmp_path / "model" / "model.safetensors").read_bytes()
    loaded = rmae.load(tmp_path / "loaded")
    same_model(loaded, model)
    assert loaded.region_branch is not None  # all parts travel
    assert set(said) == {"push badly", "load other"}
    assert "Repo id must" in said["push badly"]
    assert said["load other"].startswith("there is no folder org/other here, and it cannot be had from the hub: ")


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["refused", "unreachable"])
def test_a_hub_that_refuses_or_is_not_there_is_said(make_model, tmp_path, trouble):
    make_model().save_pretrained(tmp_path / "model")
    with hub_server() as (address, hub):
        if trouble == "unreachable":
            said = run(tmp_path, "http://127.0.0.1:9")  # where nothing listens
        else:
            said = run(tmp_path, address, token="wrong")
    assert hub.files == {}
    assert not (tmp_path / "loaded").exists()
    assert re.match(r"org/name cannot be uploaded to the hub: .*(401|refused)", said["push"])
    assert said["load"].startswith("there is no folder org/name here, and it cannot be had from the hub: ")


@pytest.mark.slow
@pytest.mark.parametrize("weights_file", ["model.safetensors", "pytorch_model.bin"])
def test_what_others_uploaded_is_loaded_by_name(make_model, tmp_path, weights_file):
    model = make_model()
    folder = rmae.export_transformers(model, tmp_path / "vit").path
    if weights_file == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / weights_file)
    with hub_server() as (address, hub):
        for name in ("config.json", "preprocessor_config.json", weights_file):
            hub.files[name] = (folder / name).read_bytes()
        run(tmp_path, address, program=LOAD)
    loaded = rmae.load(tmp_path / "loaded")
    assert torch.equal(loaded.encoder.blocks[1].attn.qkv.weight, model.encoder.blocks[1].attn.qkv.weight)
    assert loaded.pixel_mean == model.pixel_mean
