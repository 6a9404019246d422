"""The built pages and pictures in a browser, at the widths of a phone and a laptop."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
#: How a browser is told which theme its user prefers.
THEMES = {"dark": 0, "light": 1}
WIDTHS = [390, 1280]

#: Loads one page after the other, and writes into the document what is wrong with them.
LOOK = """<!DOCTYPE html>
<body><pre id="found"></pre><script>
const [pages, pictures, widths] = INPUT;
const found = [];
let looked = 0;

function load(url, width) {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.style = `width: ${width}px; height: 800px; border: 0`;
    frame.onload = () => resolve(frame);
    frame.src = url;
    document.body.append(frame);
  });
}

function luminance(color) {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

async function lookAtPage(url, width) {
  const frame = await load(url, width);
  const root = frame.contentDocument.documentElement;
  const images = [...frame.contentDocument.images];
  // Those further down are loaded when one gets there.
  images.forEach((image) => (image.loading = "eager"));
  await Promise.all(images.map((image) => image.decode().catch(() => null)));

  if (root.scrollWidth > width)
    found.push(`${url} at ${width}: ${root.scrollWidth} wide`);

  for (const image of images)
    if (!image.naturalWidth) found.push(`${url}: broken ${image.src}`);

  frame.remove();
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

async function lookAtPicture(url) {
  const frame = await load(url, 390);
  const root = frame.contentDocument.documentElement;
  const style = (node) => frame.contentWindow.getComputedStyle(node);
  const paper = root.getBoundingClientRect();
  const rects = [...root.querySelectorAll("rect")];
  const texts = [...root.querySelectorAll("text")];

  texts.forEach((text, number) => {
    const at = text.getBoundingClientRect();
    const name = `${url}: '${text.textContent}'`;
    const isUnder = (rect) => overlap(at, rect.getBoundingClientRect());
    const under = rects.filter(isUnder).at(-1);
    const seen = contrast(style(text).fill, style(under).fill);

    if (seen < 4.5) found.push(`${name} has a contrast of ${seen.toFixed(1)}`);
    if (at.left < paper.left || at.right > paper.right)
      found.push(`${name} is cut off`);

    for (const other of texts.slice(number + 1)) {
      const there = other.getBoundingClientRect();
      // Lines may stand closely below each other.
      const lower = { ...there.toJSON(), top: there.top + 4, bottom: there.bottom - 4 };
      if (overlap(at, lower)) found.push(`${name} is over '${other.textContent}'`);
    }
  });

  frame.remove();
}

(async () => {
  for (const url of pages)
    for (const width of widths) { await lookAtPage(url, width); looked++; }

  for (const url of pictures) { await lookAtPicture(url); looked++; }

  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return { dark, looked, found };
})()
  .catch((error) => String(error))
  .then((result) => {
    document.getElementById("found").textContent = JSON.stringify(result);
  });
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or pytest.skip("no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("furo", reason="needs the dependency group docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", str(DOCS), str(folder)]
    subprocess.run(command, check=True)
    return folder


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("theme", THEMES)
def test_pages_fit_and_pictures_can_be_read(
    theme: str, browser: str, site: Path, tmp_path: Path
) -> None:
    pages = [path.as_uri() for path in sorted(site.rglob("*.html"))]
    pictures = [path.as_uri() for path in sorted((DOCS / "pictures").glob("*.svg"))]
    look = tmp_path / "look.html"
    look.write_text(LOOK.replace("INPUT", json.dumps([pages, pictures, WIDTHS])))
    shown = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={THEMES[theme]}",
            *("--allow-file-access-from-files", "--window-size=1400,900"),
            # It counts only while nothing is loaded.
            "--virtual-time-budget=1000000",
            look.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=500,
    ).stdout
    text = re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)
    assert text is not None and text[1], shown[:1000]
    result: Any = json.loads(unescape(text[1]))
    assert result["dark"] == (theme == "dark")
    assert result["looked"] == len(pages) * len(WIDTHS) + len(pictures) > 80
    assert result["found"] == []
