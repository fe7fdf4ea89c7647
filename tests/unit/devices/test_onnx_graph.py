"""The names of a network's inputs and outputs, read from its file."""

from pathlib import Path

import pytest

from app.devices.onnx_graph import read_names
from tests.onnx_files import write_network


def test_weights_are_no_inputs_and_outputs_keep_the_file_s_order(tmp_path: Path) -> None:
    assert read_names(write_network(tmp_path / "tiny.onnx")) == (("blob",), ("mean", "peak"))


def test_a_file_cut_anywhere_is_refused_or_read_never_worse(tmp_path: Path) -> None:
    whole = write_network(tmp_path / "tiny.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    for end in range(1, len(whole) - 6):  # the last six bytes are the operator set, which holds no names
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="ONNX"):
            read_names(path)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "inputs", "outputs"),
    [("yolox_nano_416.onnx", ("images",), 1), ("yunet_n_320_320.onnx", ("input",), 12), ("mnist.onnx", ("Input3",), 1)],
)
def test_names_of_real_networks(file: str, inputs: tuple[str, ...], outputs: int, shared: Path) -> None:
    names = read_names(shared / "models" / file)
    assert names.inputs == inputs
    assert len(names.outputs) == outputs
