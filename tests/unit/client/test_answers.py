"""The client's types beside the API's own description: nothing the API answers or takes is missing in them."""

import inspect
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from app.client import AsyncClient, Client, asks
from app.client.answers import Breakdown, FrameError, FrameRow, Job, JobPage, Queue, Source
from app.client.asks import JobFields, Rows
from app.client.errors import UnreadableAnswer
from app.domain.device import DeviceDecision
from app.domain.job import JobWarning
from app.web.feed_query import FILTERS
from app.web.openapi import openapi_document
from tests.conftest import ROOT

SCHEMAS = openapi_document()["components"]["schemas"]
TYPES = {
    "JobDocument": Job,
    "SourceDocument": Source,
    "BreakdownDocument": Breakdown,
    "QueueDocument": Queue,
    "JobListDocument": JobPage,
    "WarningDocument": JobWarning,
    "DecisionDocument": DeviceDecision,
    "FrameRow": FrameRow,
    "FrameError": FrameError,
}


@pytest.mark.parametrize("name", TYPES)
def test_every_answer_has_the_fields_that_the_api_describes(name: str) -> None:
    kind: Any = TYPES[name]
    fields = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else kind.__dataclass_fields__
    assert set(fields) == set(SCHEMAS[name]["properties"])


def test_a_job_is_submitted_with_every_field_that_the_api_takes() -> None:
    assert set(JobFields.__annotations__) == set(SCHEMAS["JobRequest"]["properties"]) - {"source"}


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_feed_is_followed_with_every_filter_that_the_feed_knows(kind: type) -> None:
    own = {"self", "job", "patience_s"}
    assert set(inspect.signature(kind.follow).parameters) - own == set(FILTERS)
    path, query = asks.feed(["a", "b"], types="status", labels=("x", "y"), min_confidence=0.0, max_rate=None, plugin=())
    assert (path, query) == ("/v1/insights", {"job": "a,b", "types": "status", "labels": "x,y", "min_confidence": 0.0})


def test_the_client_brings_no_database_no_web_framework_and_no_vision() -> None:
    heavy = {"alembic", "av", "cv2", "jinja2", "numpy", "pydantic", "sqlalchemy", "starlette", "uvicorn"}
    asked = f"import sys, app.client; print({heavy} & {{name.split('.')[0] for name in sys.modules}} or 'none')"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT)
    assert answer.stdout.strip() == "none", answer.stdout + answer.stderr


def test_rows_cut_anywhere_are_read_whole() -> None:
    lines = [
        '{"frame_index":0,"t_s":0.0,"outputs":{},"errors":[]}\n',
        '{"frame_index":1,"t_s":null,"outputs":{},"errors":[{"stage":"a","code":"exception","message":"a\u2028b\x85c"}]}\n',
    ]
    whole = "".join(lines).encode()
    for size in (1, 7, len(whole)):
        rows, seen = Rows(), []
        for start in range(0, len(whole), size):
            seen += rows.feed(whole[start : start + size])
        assert [row.frame_index for row in seen] == [0, 1]
        assert seen[1].errors[0].message == "a\u2028b\x85c"
    with pytest.raises(UnreadableAnswer, match=r"truncated|malformed"):
        Rows().feed(b"{\n")
