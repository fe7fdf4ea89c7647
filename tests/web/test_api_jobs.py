"""Jobs over the API: listed, shown, moved and deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.job import JobStatus, Wanted
from app.store import jobs
from tests.web.conftest import Api, problem, tell_of_trouble


@pytest.fixture
def job_id(api: Api, still: Path) -> str:
    """A queued job on a picture."""
    made: str = api.submit(still).json()["id"]
    return made


def test_jobs_are_listed_newest_first_page_by_page(api: Api, still: Path) -> None:
    made = [api.submit(still, name=f"job {number}").json()["id"] for number in range(3)]
    first = api.client.get("/v1/jobs", params={"limit": 2}).json()
    assert list(first) == ["items", "next_cursor"]
    assert [job["id"] for job in first["items"]] == [made[2], made[1]]
    second = api.client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in second["items"]] == [made[0]]
    assert second["next_cursor"] is None
    assert first["items"][0] == api.client.get(f"/v1/jobs/{made[2]}").json()


def test_jobs_are_found_by_status_plugin_and_words(api: Api, still: Path) -> None:
    crossing = api.submit(still, name="The Crossing").json()["id"]
    moving = api.submit(still, plugins="motion_mog2", tags="night").json()["id"]
    api.work_off(moving)

    def found(**query: str | list[str]) -> list[str]:
        return [job["id"] for job in api.client.get("/v1/jobs", params=query).json()["items"]]

    assert found(status="queued") == [crossing]
    assert found(status="completed") == [moving]
    assert found(status="completed,queued") == found(status=["completed", "queued"]) == [moving, crossing]
    assert found(plugin="motion_mog2") == [moving]
    assert found(q="crossing") == [crossing]
    assert found(q="night") == [moving]
    assert found(q="nothing like it") == []


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("colour=red", "status, plugin, q, tag, since, until, warnings, fallback, sort, limit, cursor"),
        ("status=ready", "completed_with_warnings"),
        ("limit=0", "1 to 200"),
        ("limit=201", "1 to 200"),
        ("limit=many", "1 to 200"),
        ("limit=1&limit=2", "one value"),
        ("cursor=nonsense", "next_cursor"),
    ],
)
def test_an_unknown_filter_is_refused_with_the_known_ones(api: Api, query: str, word: str) -> None:
    told = problem(api.client.get(f"/v1/jobs?{query}"), 400)
    assert told["type"] == "/problems/unknown-filter"
    assert word in told["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        *(("POST", f"/{verb}") for verb in ("cancel", "pause", "resume", "stop", "retry")),
        *(("GET", f"/{part}") for part in ("frames", "result", "facts", "log", "frames/0.jpg", "insights")),
    ],
)
def test_an_unknown_job_is_not_found_wherever_it_is_asked_for(api: Api, method: str, path: str) -> None:
    told = problem(api.client.request(method, f"/v1/jobs/none{path}"), 404)
    assert told["type"] == "/problems/unknown-job"
    assert told["detail"] == "There is no job 'none'."


def test_a_queued_job_is_cancelled_at_once_and_twice_is_once(api: Api, job_id: str) -> None:
    for _ in range(2):
        answer = api.client.post(f"/v1/jobs/{job_id}/cancel")
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["queue"]) == ("cancelled", None)
        assert answer.json()["finished_at"] is not None
    facts = api.client.get(f"/v1/jobs/{job_id}/facts").json()["items"]
    assert [(fact["previous"], fact["status"]) for fact in facts] == [(None, "queued"), ("queued", "cancelled")]


def test_a_job_is_paused_resumed_stopped_and_each_again(api: Api, job_id: str) -> None:
    def ask(verb: str) -> str:
        answer = api.client.post(f"/v1/jobs/{job_id}/{verb}")
        assert answer.status_code == 200, answer.text
        status: str = answer.json()["status"]
        return status

    assert [ask(verb) for verb in ("pause", "pause", "resume", "resume")] == ["paused", "paused", "queued", "queued"]
    assert [ask("stop"), ask("stop")] == ["queued", "queued"]
    with api.parts.store.read() as tx:
        assert jobs.get(tx, job_id).wanted is Wanted.STOP
    assert problem(api.client.post(f"/v1/jobs/{job_id}/pause"), 409)["type"] == "/problems/wrong-state"


def test_a_failed_job_is_retried_under_its_id_with_what_is_committed(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    api.work_off(job_id, most=1, to=JobStatus.FAILED)
    failed = api.client.get(f"/v1/jobs/{job_id}").json()
    assert (failed["status"], failed["error"]) == ("failed", "it broke")
    for _ in range(2):
        again = api.client.post(f"/v1/jobs/{job_id}/retry").json()
        assert (again["status"], again["error"], again["finished_at"]) == ("queued", None, None)
        assert again["frames_done"] == failed["frames_done"] > 0
    api.work_off(job_id)
    rows = api.client.get(f"/v1/jobs/{job_id}/frames").text.splitlines()
    assert len(rows) == 90


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("cancel", "is completed; cancel needs a job that is not ended"),
        ("pause", "is completed; pause needs a job that is queued or running"),
        ("resume", "is completed; resume needs a job that is paused"),
        ("stop", "is completed; stop needs a job that is queued, running or paused"),
        ("retry", "is completed; retry needs a job that is failed or cancelled"),
    ],
)
def test_a_completed_job_refuses_every_verb_with_a_sentence(api: Api, job_id: str, verb: str, words: str) -> None:
    api.work_off(job_id)
    told = problem(api.client.post(f"/v1/jobs/{job_id}/{verb}"), 409)
    assert told["title"] == "Wrong state"
    assert words in told["detail"]


def test_an_active_job_is_not_deleted_and_an_ended_one_leaves_nothing(api: Api, job_id: str) -> None:
    problem(api.client.delete(f"/v1/jobs/{job_id}"), 409)
    api.work_off(job_id)
    api.client.get(f"/v1/jobs/{job_id}/frames/0.jpg")
    assert len(api.left_on_disk()) == 2
    answer = api.client.delete(f"/v1/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.left_on_disk() == []
    assert api.parts.previews.get(job_id, 0) is None
    problem(api.client.delete(f"/v1/jobs/{job_id}"), 404)


def test_an_upload_stays_as_long_as_any_job_uses_it(api: Api, job_id: str, still: Path) -> None:
    twin = api.submit(still).json()["id"]
    for ended in (job_id, twin):
        api.client.post(f"/v1/jobs/{ended}/cancel")
    api.client.delete(f"/v1/jobs/{job_id}")
    assert len(api.left_on_disk()) == 1
    assert api.client.get(f"/v1/jobs/{twin}/frames/0.jpg").status_code == 200
    api.client.delete(f"/v1/jobs/{twin}")
    assert api.left_on_disk() == []


def test_a_job_shows_its_fallback_its_warnings_and_where_its_time_went(api: Api, job_id: str) -> None:
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id)
    job = api.client.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["progress"], job["device_used"], job["fallback"]) == ("completed", 100, "cpu", True)
    assert job["fallback_reasons"] == ["people_hog: OpenCV here was built without CUDA, so the stage ran on the CPU."]
    (row,) = [row for row in job["breakdown"] if row["stage"] == "people_hog"]
    row_keys = (
        "stage plugin version device frames soft_failures total_ms p50_ms p95_ms p99_ms max_ms budget_ms over_budget "
        "health health_reason summary"
    )
    assert " ".join(row) == row_keys
    assert (row["total_ms"], row["max_ms"], row["budget_ms"], row["health"]) == (1.5, 1.5, 40.0, "degraded")
    assert row["summary"] == {"people": 3}
    assert list(row["device"]) == ["requested", "used", "fallback", "code", "reason", "attempts", "warmup_ms"]
    assert [attempt["outcome"] for attempt in row["device"]["attempts"]] == ["failed", "used"]
    (warning,) = job["warnings"]
    assert " ".join(warning) == "code stage message count first_frame_index last_frame_index first_at last_at detail"
    assert (warning["code"], warning["count"], warning["detail"]) == ("exception", 1, "Traceback …")


def test_stages_on_different_devices_make_it_mixed() -> None:
    from msgspec.structs import replace

    from app.domain.device import EXAMPLE_DECISION, Target
    from app.web.schemas import DeviceUse

    on_gpu = replace(EXAMPLE_DECISION, used=Target.CUDA, fallback=False)
    assert DeviceUse.of([("a", EXAMPLE_DECISION), ("b", on_gpu)]).device_used == "mixed"
    assert DeviceUse.of([("a", on_gpu), ("b", on_gpu)]).device_used == "cuda"
    assert DeviceUse.of([]) == DeviceUse(device_used=None, fallback=False, fallback_reasons=[])
    twice = DeviceUse.of([("a", EXAMPLE_DECISION), ("a", EXAMPLE_DECISION)])
    assert (twice.device_used, twice.fallback, len(twice.fallback_reasons)) == ("cpu", True, 1)


def test_jobs_ahead_are_counted_by_priority(api: Api, still: Path) -> None:
    slow = api.submit(still).json()["id"]
    quick = api.submit(still, priority=10).json()
    assert quick["queue"]["position"] == 1
    assert api.client.get(f"/v1/jobs/{slow}").json()["queue"] == {"position": 2, "reason": "1 job is ahead of it."}


def test_every_list_has_one_form(api: Api, start_api: Callable[..., Api], job_id: str) -> None:
    for path in ("/v1/jobs", f"/v1/jobs/{job_id}/facts", "/v1/plugins"):
        assert list(api.client.get(path).json()) == ["items", "next_cursor"]
