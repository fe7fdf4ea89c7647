"""The page of a job over longer times: what is not told anything for long says so itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Servers, wait_until, write_clip

pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_picture_that_does_not_change_for_long_says_so_although_the_connection_lives(
    servers: Servers, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    server = servers.start(env={"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")})
    clip = write_clip(tmp_path / "clip.mp4", frames=30)
    stages = [{"plugin": "brightness", "options": {"ms": 10000}, "frame_timeout_s": 60}, {"plugin": "square"}]
    with server.client() as client:
        sent = {"files": {"file": (clip.name, clip.read_bytes())}, "data": {"pipeline": json.dumps({"stages": stages})}}
        job_id = client.post("/v1/jobs", **sent).raise_for_status().json()["id"]
        page = open_page(f"{server.url}/jobs/{job_id}")
        note = "document.querySelector('[data-aged=overlay-stream]')"
        said = f"!{note}.hidden && /^Not updated for 1[0-9] s$/.test({note}.innerText)"
        wait_until(lambda: page.evaluate(said), "the picture to say that it is old")
        assert page.evaluate("document.getElementById('connection-state').dataset.state") == "live"
        assert page.evaluate("document.getElementById('overlay-stream').classList.contains('old')")
        client.post(f"/v1/jobs/{job_id}/cancel")
