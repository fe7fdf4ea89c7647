"""The options of plugins in the form for a new job: rendered from the manifest, taken without scripts, blamed in place."""

from pathlib import Path

from tests.web.conftest import Api, problem
from tests.web.html import Page


def options_of(api: Api, job: str, stage: int = 0) -> dict[str, object]:
    """Options a stored job runs a stage with."""
    return dict(api.client.get(f"/v1/jobs/{job}").json()["pipeline"]["stages"][stage]["options"])


def send(api: Api, still: Path, **fields: object) -> Page:
    """Send the form as a browser without scripts does, and give the page it ends on."""
    with still.open("rb") as file:
        answer = api.client.post(
            "/jobs", files={"file": (still.name, file)}, data=fields, headers={"accept": "text/html"}, follow_redirects=True
        )
    return Page(answer.text)


def test_every_option_is_a_field_with_its_default_limits_and_help(api: Api) -> None:
    page = Page(api.client.get("/").text)
    manifest = api.client.get("/v1/plugins/people_hog").json()
    for option in manifest["options"]:
        field = page[f"option-people_hog-{option['name']}"]
        assert field["name"] == f"set.people_hog.{option['name']}"
        help_text = page[f"help-people_hog-{option['name']}"].text
        assert help_text.startswith(option["help"])
        if field.tag == "input":
            assert field["type"] == ("number" if option["type"] in {"number", "integer"} else "text")
    assert page["wrong-people_hog-" + manifest["options"][0]["name"]].attributes.keys() >= {"hidden"}


def test_options_of_picked_plugins_are_taken_and_those_of_others_count_for_nothing(api: Api, still: Path) -> None:
    name = next(o["name"] for o in api.client.get("/v1/plugins/motion_mog2").json()["options"] if o["type"] == "integer")
    given = {
        "plugins": ["motion_mog2"],
        "device": "auto",
        "pipeline": "",
        f"set.motion_mog2.{name}": "321",
        "set.people_hog.hit_threshold": "nonsense",
        "set.shapes_dnn.labels": "",
    }
    assert send(api, still, **given)["job-status"].text.startswith("Queued")
    (job,) = api.client.get("/v1/jobs").json()["items"]
    assert options_of(api, job["id"])[name] == 321


def test_a_wrong_option_is_blamed_beside_its_field_and_nothing_is_lost(api: Api, still: Path) -> None:
    spec = next(o for o in api.client.get("/v1/plugins/motion_mog2").json()["options"] if o["type"] == "integer")
    field = f"set.motion_mog2.{spec['name']}"
    page = send(api, still, plugins=["motion_mog2", "people_hog"], device="cpu", **{field: "many"})
    wrong = page[f"wrong-motion_mog2-{spec['name']}"]
    assert "hidden" not in wrong
    assert wrong.text.startswith("Expected a whole number")
    shown = page[f"option-motion_mog2-{spec['name']}"]
    assert (shown["value"], shown["aria-invalid"]) == ("many", "true")
    assert {"pick-motion_mog2", "pick-people_hog"} <= {e["id"] for e in page.all("input") if "checked" in e}
    assert api.stored_jobs() == 0
    assert api.left_on_disk() == []


def test_the_api_takes_options_by_stage_and_names_the_wrong_one(api: Api, still: Path) -> None:
    spec = next(o for o in api.client.get("/v1/plugins/motion_mog2").json()["options"] if o["type"] == "integer")
    name = spec["name"]
    taken = api.submit(still, plugins="motion_mog2", options=f'{{"motion_mog2": {{"{name}": "99"}}}}')
    assert options_of(api, taken.json()["id"])[name] == 99
    told = problem(api.submit(still, plugins="motion_mog2", options=f'{{"motion_mog2": {{"{name}": true}}}}'), 422)
    assert (told["stage"], told["option"]) == ("motion_mog2", name)
    assert "a whole number" in told["expected"]
    problem(api.submit(still, plugins="motion_mog2", options='{"people_hog": {}}'), 422)
    problem(api.submit(still, plugins="motion_mog2", options="[1]"), 422)
    problem(api.submit(still, plugins="motion_mog2", **{f"set.motion_mog2.{name}": "5"}), 422)
