"""Fields and services are told apart by readers who see no red, no green or no blue, in light and dark.

Simulated after Machado, Oliveira and Fernandes (2009), full severity; distances are in OKLab. These need no browser.
"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

CSS = (Path(__file__).parents[2] / "proxy" / "console" / "page" / "css" / "design.css").read_text(encoding="utf-8")
Colour = npt.NDArray[np.float64]
EYES = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
TO_CONES = np.array([[0.412221, 0.536333, 0.051446], [0.211903, 0.6807, 0.107397], [0.088302, 0.281719, 0.629979]])
TO_LAB = np.array([[0.210454, 0.793618, -0.004072], [1.977998, -2.428592, 0.450594], [0.025904, 0.782772, -0.808676]])
LEAST_DISTANCE = 0.07  # some three times what one can just see
PAPER = {"light": "#ffffff", "dark": "#111318"}


def linear(text: str) -> Colour:
    parts = np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: Colour, eye: str) -> Colour:
    seen = np.clip(EYES[eye] @ colour, 0, 1)
    return np.asarray(TO_LAB @ np.cbrt(TO_CONES @ seen))


def contrast(a: Colour, b: Colour) -> float:
    dark, light = sorted(float(c @ np.array([0.2126, 0.7152, 0.0722])) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def tokens(prefix: str, theme: str) -> dict[str, Colour]:
    pairs = re.findall(rf"--{prefix}-([a-z0-9]+): light-dark\((#[0-9a-f]{{6}}), (#[0-9a-f]{{6}})\)", CSS)
    return {name: linear(light if theme == "light" else dark) for name, light, dark in pairs}


@pytest.mark.parametrize("theme", PAPER)
@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("prefix", "count"), [("f", 6), ("s", 8)])
def test_colours_are_told_apart(prefix: str, count: int, eye: str, theme: str) -> None:
    colours = {name: lab(colour, eye) for name, colour in tokens(prefix, theme).items()}
    assert len(colours) == count
    near = {
        (a, b): distance
        for a, b in combinations(colours, 2)
        if (distance := float(np.linalg.norm(colours[a] - colours[b]))) < LEAST_DISTANCE
    }
    assert near == {}


@pytest.mark.parametrize("theme", PAPER)
@pytest.mark.parametrize(("prefix", "least"), [("f", 4.5), ("s", 3)])
def test_colours_stand_out_from_the_paper(prefix: str, least: float, theme: str) -> None:
    """Text and graphics, after WCAG 1.4.3 and 1.4.11."""
    paper = linear(PAPER[theme])
    assert {name: c for name, c in tokens(prefix, theme).items() if contrast(c, paper) < least} == {}
