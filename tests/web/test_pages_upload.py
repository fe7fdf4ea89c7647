"""The form for a new job in a real Chromium: several files at once, what is wrong told where it is, the file seen first."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, Servers, wait_until, write_clip
from tests.web.browsing import becomes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that is submitted here."""
    started = Servers(tmp_path_factory.mktemp("house"))
    yield started.start(env={"SIGHTLINE_WORKERS": "1"})
    started.close()


@pytest.fixture
def forgiving(open_page: Callable[..., Any], complaints: list[str]) -> Iterator[None]:
    """Forgive what Chromium says of a request that was refused, as it should be."""
    yield
    complaints[:] = [said for said in complaints if "Failed to load resource" not in said]


@pytest.mark.usefixtures("forgiving")
def test_several_files_become_a_job_each_and_one_that_is_refused_is_told_by_name(
    house: Server, open_page: Callable[..., Any], tmp_path: Path, still: Path
) -> None:
    (tmp_path / "notes.mp4").write_text("just words\n" * 100)
    clip = write_clip(tmp_path / "one of many.mp4", frames=10)
    page = open_page(house.url)
    page.set_input_files("#source-input", [still, tmp_path / "notes.mp4", clip])
    becomes(page, "document.querySelector('#source-preview img')?.naturalWidth === 160")
    page.check("input[value=motion_mog2]")
    page.click("#submit-job")
    becomes(page, "document.getElementById('form-problem').innerText.includes('2 of 3 jobs were started')")
    assert "notes.mp4: notes.mp4 cannot be read" in page.inner_text("#form-problem")
    page.set_input_files("#source-input", [still, clip])
    page.click("#submit-job")
    page.wait_for_url("**/jobs", wait_until="domcontentloaded")
    with house.client() as client:
        names = [job["name"] for job in client.get("/v1/jobs").json()["items"]]
    assert (names.count(still.name), names.count(clip.name), names.count("notes.mp4")) == (2, 2, 0)


@pytest.mark.usefixtures("forgiving")
def test_a_wrong_option_is_told_beside_its_field(house: Server, open_page: Callable[..., Any], still: Path) -> None:
    page = open_page(house.url)
    page.set_input_files("#source-input", still)
    page.check("input[value=onnx_detector]")
    page.click("text=Options of Things")
    page.fill("[name='set.onnx_detector.model']", "no such model")
    page.click("#submit-job")
    becomes(page, "!document.getElementById('wrong-onnx_detector-model').hidden")
    assert page.inner_text("#wrong-onnx_detector-model").startswith("Expected a known model")
    assert page.input_value("[name='set.onnx_detector.model']") == "no such model"
    assert page.get_attribute("[name='set.onnx_detector.model']", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.name") == "set.onnx_detector.model"


def last_job(house: Server, name: str) -> dict[str, Any]:
    """Wait for the newest job of this name, and give it."""
    with house.client() as client:
        found = wait_until(lambda: client.get("/v1/jobs", params={"q": name}).json()["items"], f"the job {name}")
    return dict(found[0])


def test_stages_are_ordered_by_keyboard_and_saved_without_leaving_the_page(
    house: Server, open_page: Callable[..., Any], still: Path
) -> None:
    page = open_page(house.url)
    page.set_input_files("#source-input", still)
    for plugin in ("image_quality", "motion_mog2", "people_hog"):
        page.check(f"input[value={plugin}]")
    names = "[...document.querySelectorAll('#stage-order .order-name')].map(name => name.textContent)"
    assert page.evaluate(names) == ["Image quality", "Motion (MOG2)", "People (HOG)"]
    page.focus("#stage-order li:nth-child(3) [data-step='-1']")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate(names) == ["People (HOG)", "Image quality", "Motion (MOG2)"]
    assert page.inner_text("#stage-order [role=status]") == "People (HOG) is number 1 of 3."
    page.click("#stage-order li:nth-child(2) [data-drop]")
    assert not page.is_checked("input[value=image_quality]")
    page.click("text=Save these stages under a name")
    page.fill("#pipeline-name", "people-first")
    page.click("#save-choice")
    becomes(page, "document.getElementById('saved-words').textContent.includes('people-first')")
    assert page.is_checked("#take-none")
    assert page.evaluate("document.getElementById('source-input').files.length") == 1
    page.click("text=Name, tags, pace")
    page.fill("#job-name", "ordered by hand")
    page.check("#strict-device")
    page.click("#submit-job")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    job = last_job(house, "ordered by hand")
    assert [stage["plugin"] for stage in job["pipeline"]["stages"]] == ["people_hog", "motion_mog2"]
    with house.client() as client:
        saved = client.get("/v1/pipelines/people-first").json()
    assert [stage["plugin"] for stage in saved["pipeline"]["stages"]] == ["people_hog", "motion_mog2"]
    page.goto(house.url, wait_until="domcontentloaded")
    page.check("input[value=image_quality]")
    page.check("#take-people-first")
    assert not page.is_checked("input[value=image_quality]")


def test_a_folder_gives_its_media_and_says_what_it_left_out(
    house: Server, open_page: Callable[..., Any], tmp_path: Path, still: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "inner").mkdir(parents=True)
    write_clip(folder / "inner" / "b.mp4", frames=5)
    (folder / "a.png").write_bytes(still.read_bytes())
    (folder / "notes.txt").write_text("not a picture")
    page = open_page(house.url)
    page.set_input_files("#folder-input", folder)
    becomes(page, "document.getElementById('source-input').files.length === 2")
    assert "1 other file was left out." in page.inner_text("#chosen-words")
    assert page.locator("#chosen-files li").count() == 2
    page.click("#chosen-files li:first-child button")
    becomes(page, "document.querySelector('#source-preview video')?.videoWidth === 160")
    assert "b.mp4, 160 × 120" in page.inner_text("#source-preview")


def test_an_address_is_refused_in_a_sentence_and_a_job_is_taken_over_with_scripts_on(
    house: Server, open_page: Callable[..., Any], still: Path, complaints: list[str]
) -> None:
    page = open_page(house.url)
    page.check("input[value=motion_mog2]")
    page.click("text=Or from this server's disk")
    page.fill("#source-url", "ftp://camera.local/street")
    page.click("#submit-job")
    page.wait_for_selector("#wrong-url:not([hidden])")
    assert page.is_checked("input[value=motion_mog2]")
    complaints[:] = [said for said in complaints if "Failed to load resource" not in said]  # a refusal on purpose
    with house.client() as client, still.open("rb") as file:
        made = client.post("/v1/jobs", files={"file": ("again.png", file)}, data={"plugins": "motion_mog2"}).json()["id"]
    page.goto(f"{house.url}/?like={made}", wait_until="domcontentloaded")
    page.click("#submit-job")
    page.wait_for_url("**/jobs/*", wait_until="domcontentloaded")
    assert page.url.rpartition("/")[2] != made
    assert last_job(house, "again.png")["source"]["name"] == "again.png"
