from __future__ import annotations

import pytest

from grn.quant.report.palette import DARK, LIGHT


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mix(colour: str, share: float, ground: str) -> str:
    parts = [
        round(int(colour[i : i + 2], 16) * share + int(ground[i : i + 2], 16) * (1 - share))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{p:02x}" for p in parts)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half(scheme: dict[str, str]) -> None:
    """Every colour of text stands out from the grounds it is used on (WCAG 1.4.3), shaded cells too."""
    for text in ("ink", "muted", "accent", "warm"):
        assert contrast(scheme[text], scheme["paper"]) >= 4.5
    for text in ("ink", "muted"):
        assert contrast(scheme[text], scheme["panel"]) >= 4.5
    for tone in ("accent", "warm"):
        assert contrast(scheme["ink"], mix(scheme[tone], 0.42, scheme["paper"])) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_have_a_contrast_of_three(scheme: dict[str, str]) -> None:
    """Lines and marks stand out from the paper (WCAG 1.4.11)."""
    for mark in ("accent", "warm", "grey", "ink"):
        assert contrast(scheme[mark], scheme["paper"]) >= 3.0


def test_light_colours_are_told_apart() -> None:
    """The page repaints a figure by looking its light colours up: no two roles may share one."""
    assert len(set(LIGHT.values())) == len(LIGHT)
