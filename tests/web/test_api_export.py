"""What a job gave, as files other tools read: each read back by a kept reader."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from app.domain.output import EXAMPLES
from app.engine.rows import Row, RowFile
from app.store import segments
from tests.web.conftest import Api, problem


@pytest.fixture
def job(api: Api, make_clip: Callable[..., Path]) -> str:
    """An ended job on a clip of 12 frames; frame 3 has every kind of output, frame 4 none."""
    job_id = str(api.submit(make_clip(frames=12), name="for export", tags="a,b").json()["id"])
    api.work_off(job_id)
    with api.parts.store.read() as tx:
        (segment,) = segments.committed(tx, job_id, 0, 12)
    path = api.parts.storage.outputs_folder(job_id) / segment.rows.file
    path.unlink()
    rows = RowFile(str(path))
    for index in range(12):
        outputs = EXAMPLES if index == 3 else {} if index == 4 else {"people_hog": EXAMPLES["detections"]}
        rows.add(Row(index, index / 30, dict(outputs), []))
    rows.place()
    return job_id


def test_coco_is_read_by_its_own_reader(api: Api, job: str, tmp_path: Path) -> None:
    answer = api.client.get(f"/v1/jobs/{job}/export?format=coco")
    assert "attachment" in answer.headers["content-disposition"]
    path = tmp_path / "coco.json"
    path.write_bytes(answer.content)
    data = COCO(str(path))
    assert len(data.getImgIds()) == 12
    assert {category["name"] for category in data.loadCats(data.getCatIds())} == {"circle", "square"}
    (image,) = (image for image in data.loadImgs(data.getImgIds()) if image["frame_index"] == 5)
    assert (image["width"], image["height"]) == (160, 120)
    assert api.client.get(image["coco_url"]).status_code == 200
    found = data.loadAnns(data.getAnnIds(imgIds=[image["id"]]))
    assert [a["bbox"] for a in found] == [[32.0, 36.0, 16.0, 18.0], [96.0, 12.0, 32.0, 24.0]]
    assert [a["score"] for a in found] == [0.97, 0.88]
    assert [a.get("track_id") for a in found] == [4, None]
    assert data.getAnnIds(imgIds=[5]) == []
    assert data.dataset["info"]["sightline"]["job_id"] == job


def test_csv_has_a_line_for_every_finding_of_every_kind(api: Api, job: str) -> None:
    answer = api.client.get(f"/v1/jobs/{job}/export?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    plain = [line for line in lines if line["frame_index"] == "5"]
    assert [(line["stage"], line["label"], line["confidence"], line["track_id"]) for line in plain] == [
        ("people_hog", "circle", "0.97", "4"),
        ("people_hog", "square", "0.88", ""),
    ]
    assert [float(plain[0][name]) for name in "xywh"] == [0.2, 0.3, 0.1, 0.15]
    every = [line for line in lines if line["frame_index"] == "3"]
    assert {line["kind"] for line in every} == set(EXAMPLES)
    (road,) = (line for line in every if line["kind"] == "mask")
    assert (road["label"], road["value"], road["unit"]) == ("road", "0.5", "of the frame")
    assert "EXIT 12" in {line["label"] for line in every}
    assert not [line for line in lines if line["frame_index"] == "4"]


def test_json_lines_are_the_stored_rows(api: Api, job: str) -> None:
    answer = api.client.get(f"/v1/jobs/{job}/export")
    assert answer.text == api.client.get(f"/v1/jobs/{job}/frames").text
    assert answer.headers["content-disposition"] == f'attachment; filename="{job}-frames.ndjson"'
    assert [json.loads(line)["frame_index"] for line in answer.text.splitlines()] == list(range(12))


def test_the_manifest_says_how_the_numbers_came_about(api: Api, make_clip: Callable[..., Path]) -> None:
    answer = api.submit(make_clip(frames=5), plugins="shapes_dnn", tags="a,b", device="cpu")
    job_id = str(answer.json()["id"])
    api.work_off(job_id)
    told = api.client.get(f"/v1/jobs/{job_id}/export?format=manifest").json()
    assert (told["job_id"], told["tags"], told["device_requested"]) == (job_id, ["a", "b"], "cpu")
    assert {"sightline", "opencv", "python", "numpy", "pyav"} <= told["software"].keys()
    assert told["source"]["sha256"] == answer.json()["source"]["sha256"]
    (stage,) = told["stages"]
    assert (stage["plugin"], stage["version"]) == ("shapes_dnn", "1.0.0")
    model = stage["models"][0]
    path = Path(api.parts.catalogue.folder("shapes_dnn")) / model["file"]
    assert model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unknown_form_is_refused_by_name(api: Api, job: str) -> None:
    told = problem(api.client.get(f"/v1/jobs/{job}/export?format=xml"), 400)
    assert "ndjson, csv, coco, manifest" in told["detail"]
    problem(api.client.get("/v1/jobs/nothing/export"), 404)
