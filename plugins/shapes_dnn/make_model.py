"""Trains the network of shapes_dnn on generated scenes and writes shapes.onnx: the same bytes each time.

    pip install torch==2.13.0 onnx==1.23.2 numpy==2.4.6 opencv-contrib-python-headless==5.0.0.93 av   # in a venv of its own
    python -m plugins.shapes_dnn.make_model [--out FILE]       # from the project's folder; some minutes of one CPU thread

torch and onnx are wanted here only: Sightline runs the file through cv2.dnn. The network looks at one colour at a time:
a first stage of 1×1 convolutions tells how much of each colour lies in a pixel, then the same shape network looks at each
colour's mask beside the sum of all masks, which shows what covers what. So each scene teaches it four times.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import Any, Final

PINS: Final = {  # one thread, and the instructions every x86-64 machine with AVX2 has: another order of sums, another file
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL",
}
if __name__ == "__main__" and any(os.environ.get(name) != value for name, value in PINS.items()):
    os.execve(sys.executable, sys.orig_argv, os.environ | PINS)  # noqa: S606  # the libraries read these when they are loaded

import cv2  # noqa: E402  # after the pins
import numpy as np  # noqa: E402  # after the pins
import torch  # noqa: E402  # after the pins
from numpy.typing import NDArray  # noqa: E402  # after the pins
from torch import nn  # noqa: E402  # after the pins

from .model_file import write_model  # noqa: E402  # after the pins
from .plugin import COLOURS, INPUT, KINDS, MODEL  # noqa: E402  # after the pins
from .training_data import colours, mirrored, pictures, wanted  # noqa: E402  # after the pins

SEED: Final = 3
PICTURES, STEPS, BATCH, RATE = 1800, 1700, 8, 4e-3
COLOUR_STEPS, COLOUR_BATCH, COLOUR_RATE = 400, 2048, 3e-2
WIDTH: Final = 32  # channels of the trunk
DILATIONS: Final = (1, 2, 1, 2)  # each trunk layer sees this many cells further
HEAT_SHARE: Final = 4.0  # weight of the heat's loss beside the boxes'


def train_colours() -> Any:
    """Train the first stage on mixed pixels: BGR → how much of each colour."""
    net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, len(COLOURS)))
    noise = np.random.Generator(np.random.PCG64(SEED))
    adam = torch.optim.Adam(net.parameters())
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, COLOUR_RATE, total_steps=COLOUR_STEPS)
    for _ in range(COLOUR_STEPS):
        pixels, shares = (torch.from_numpy(array) for array in colours(COLOUR_BATCH, noise))
        loss = nn.functional.binary_cross_entropy_with_logits(net(pixels), shares)
        _step(loss, adam, pace)
    return net.requires_grad_(False)


def masks(colour_net: Any, images: NDArray[np.uint8]) -> Any:
    """Give for each colour of each picture its mask and the sum of all masks: (n × 4, 2, rows, columns)."""
    mask = torch.sigmoid(colour_net(torch.from_numpy(images).float() / 255)).permute(0, 3, 1, 2)
    total = mask.sum(1, keepdim=True).expand_as(mask)
    return torch.stack([mask, total], 2).flatten(0, 1)


def shape_net() -> Any:
    """Build the second stage: three layers down to a cell of 8 pixels, a residual trunk, heat and boxes for each kind."""
    layers = [_layer(2, 12, stride=2), _layer(12, 24, stride=2), _layer(24, WIDTH, stride=2)]
    layers += [_layer(WIDTH, WIDTH, dilation=dilation) for dilation in DILATIONS]
    head = nn.Conv2d(WIDTH, len(KINDS) * 5, 1)
    nn.init.normal_(head.weight, std=0.02)
    with torch.no_grad():
        head.bias[: len(KINDS)] = -3.5  # at first nearly every cell is empty
        head.bias[len(KINDS) :] = 0.5
    return nn.ModuleList([*layers, head])


def _layer(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> Any:
    conv = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def forward(net: Any, values: Any) -> Any:
    """Run the second stage: masks → (n × 4, 15, 18, 32), heat before its sigmoid and then boxes."""
    for layer in net[:3]:
        values = layer(values)
    for layer in net[3:-1]:
        values = values + layer(values)
    return net[-1](values)


def loss_of(answer: Any, heat: Any, box: Any, weight: Any) -> Any:
    """Give the loss: quality focal on the heat (Li et al., 2020), distance and 1 − IoU on the boxes."""
    kinds = len(KINDS)
    heat, weight, box = heat.flatten(0, 1), weight.flatten(0, 1), box.flatten(0, 1)
    unsure = nn.functional.binary_cross_entropy_with_logits(answer[:, :kinds], heat, reduction="none")
    focal = ((torch.sigmoid(answer[:, :kinds]) - heat) ** 2 * unsure).sum() / heat.sum()
    there = weight > 0
    given = answer[:, kinds:].unflatten(1, (kinds, 4)).permute(0, 1, 3, 4, 2)[there]
    asked, weight = box.permute(0, 1, 3, 4, 2)[there], weight[there]
    both = torch.minimum(given, asked)
    shared = (both[:, 0] + both[:, 2]).clamp(min=0) * (both[:, 1] + both[:, 3]).clamp(min=0)
    iou = shared / (_area(given) + _area(asked) - shared + 1e-6)
    boxes = ((1 - iou + (given - asked).abs().sum(1)) * weight).sum() / weight.sum()
    return HEAT_SHARE * focal + boxes


def _area(sides: Any) -> Any:
    return (sides[:, 0] + sides[:, 2]).clamp(min=0) * (sides[:, 1] + sides[:, 3]).clamp(min=0)


def train_shapes(colour_net: Any) -> Any:
    """Train the second stage on generated pictures, mirrored at random."""
    images, truths = pictures(PICTURES)
    chance = np.random.Generator(np.random.PCG64(SEED))
    net = shape_net()
    adam = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=STEPS, pct_start=0.2)
    for step in range(1, STEPS + 1):
        seen, answers = [], []
        for index in chance.integers(0, PICTURES, BATCH):
            across, down = (bool(toss) for toss in chance.random(2) < 0.5)
            seen.append(images[index][:: -1 if down else 1, :: -1 if across else 1])
            answers.append(wanted(mirrored(truths[index], across, down, INPUT)))
        targets = [torch.from_numpy(np.stack(part)) for part in zip(*answers, strict=True)]
        loss = loss_of(forward(net, masks(colour_net, np.stack(seen))), *targets)
        _step(loss, adam, pace)
        if step % 50 == 0:
            print(f"step {step} of {STEPS}: loss {loss.item():.3f}", flush=True)  # noqa: T201  # what the script says
    return net.eval()


def _step(loss: Any, adam: Any, pace: Any) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()
    pace.step()


def main() -> None:
    """Train, write the file and say its hash."""
    parser = argparse.ArgumentParser(description="Train the network of shapes_dnn and write it as ONNX.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(MODEL))
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    cv2.setNumThreads(1)
    torch.manual_seed(SEED)
    colour_net = train_colours()
    write_model(out, colour_net, train_shapes(colour_net), DILATIONS)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    print(f"{digest}  {out.name}")  # noqa: T201  # what the script says


if __name__ == "__main__":
    main()
