"""A plugin tried on a picture in a real Chromium, with scripts and without, through real workers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ROOT, Server, Servers, wait_until

pytestmark = pytest.mark.browser
PICTURE = ROOT / "plugins" / "qr_codes" / "sample.png"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every trial."""
    started = Servers(tmp_path_factory.mktemp("house"))
    yield started.start(env={"SIGHTLINE_WORKERS": "1"})
    started.close()


def found(page: Any) -> str:
    """Wait for what came of a trial, and give its words."""
    told = "document.querySelector('#plugin-trial .trial-told')?.innerText ?? ''"
    return str(wait_until(lambda: page.evaluate(told), "what the plugin found"))


def test_a_picture_becomes_a_result_on_the_page_of_the_plugin(house: Server, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/plugins/qr_codes")
    page.set_input_files("#try-picture", PICTURE)
    wait_until(lambda: page.evaluate("document.querySelector('.try-preview')?.naturalWidth > 0"), "the picture to be seen")
    page.click("#try-submit")
    page.wait_for_url("**/plugins/qr_codes?tried=*", wait_until="domcontentloaded")
    told = found(page)
    assert "run" in told
    assert "its budget" in told.lower()
    assert page.locator("#plugin-trial .mark").count() >= 1
    wait_until(lambda: page.evaluate("document.querySelector('#plugin-trial img').naturalWidth > 0"), "the picture")
    page.goto(f"{house.url}/plugins/qr_codes", wait_until="domcontentloaded")
    assert page.locator("#plugin-plot .use").count() == 1


def test_a_trial_works_with_scripts_off(house: Server, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{house.url}/plugins/qr_codes", java_script_enabled=False)
    page.click("#try-sample")
    page.wait_for_url("**/plugins/qr_codes?tried=*", wait_until="domcontentloaded")
    page.wait_for_selector("#plugin-trial .trial-told")  # the page asks again by itself until it is there
    assert page.locator("#plugin-trial .mark").count() >= 1


def test_the_panel_of_a_stage_brings_its_plot_when_it_is_opened(house: Server, open_page: Callable[..., Any]) -> None:
    with house.client() as client, PICTURE.open("rb") as file:
        made = client.post("/v1/jobs", files={"file": ("code.png", file)}, data={"plugins": "qr_codes"}).json()["id"]
        wait_until(lambda: client.get(f"/v1/jobs/{made}").json()["status"].startswith("completed"), "the job to end")
    page = open_page(f"{house.url}/jobs/{made}")
    page.click("#inspect-qr_codes .about > summary")
    page.wait_for_selector("#plugin-plot-qr_codes .use")
    assert "it promises" in page.inner_text("#plugin-plot-qr_codes")
