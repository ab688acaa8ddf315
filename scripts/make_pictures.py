"""Make the README's pictures from the program itself: a console session, the equity curve, a chart.

    python scripts/make_pictures.py            # writes docs/pictures/*.png; takes two to three minutes

Needs what the tests need. The session runs on the simulated exchange with a fixed seed, in a folder of its own.
"""

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.e2e.harness import PROJECT, Program, wait_until

PICTURES = PROJECT / "docs" / "pictures"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SIZE, LINE, MARGIN, WIDTH = 22, 31, 28, 100
BACK, TEXT, TYPED, GOOD, BAD, DIM = "#12161c", "#d7dbe0", "#5fb4ff", "#26c281", "#ff4d5e", "#8a93a0"
SIGNS = {"🟢": "●", "🔴": "●", "🟡": "●", "⚪": "○", "✅": "✔", "❌": "✘", "⚠️": "!", "🚨": "!", "⏳": "…"}


def session(home: Path) -> tuple[str, list[Path]]:
    """A first quarter of an hour with the program; returns what was printed and the pictures it made."""
    program = Program(home, SIMULATOR_SPEED="60", SIMULATOR_SEED="7").start()
    try:
        program.ask("/startbot", r"Running: simulated exchange.*/summary the result")
        wait_until(lambda: [t for t in program.trades() if t["side"] == "SELL"], "a sale", 600)
        time.sleep(3)
        held = sorted(program.json("test_tracked_tokens.json") or {}) or [program.trades()[0]["symbol"]]
        program.ask(f"/chart {held[-1]}", r"picture: .*?\.png", 60)
        program.ask("/testsummary", r"picture: .*?\.png")
        program.ask("/status", r"Command process: .*\n")
        program.ask("/why", r"Candidates.*\n")
        time.sleep(1)
        printed = program.output
        program.end_of_input()
    finally:
        program.kill_all()
    return printed, sorted((home / "data" / "pictures").glob("*.png"))


def colour(line: str) -> str:
    """A line's colour: what was typed, gains, losses, advice."""
    if line.startswith("> "):
        return TYPED
    if line.startswith(("→", "[picture")):
        return DIM
    if re.search(r"✘|Not trading|: -[\d.,]+ USDT", line):
        return BAD
    if re.search(r"✔|●|: \+[\d.,]+ USDT|Bought", line):
        return GOOD
    return TEXT


def wrapped(text: str) -> list[str]:
    """Lines as a terminal of WIDTH columns shows them."""
    found = []
    for raw in text.splitlines():
        line = re.sub(r"\[picture: .*/", "[picture: ", raw)
        for sign, plain in SIGNS.items():
            line = line.replace(sign, plain)
        found += [line[i:i + WIDTH] for i in range(0, len(line), WIDTH)] or [""]
    return found


def draw(lines: list[str], path: Path) -> None:
    """Draw a terminal."""
    font = ImageFont.truetype(str(FONTS / "DejaVuSansMono.ttf"), SIZE)
    width = int(font.getlength("x") * WIDTH) + 2 * MARGIN
    image = Image.new("RGB", (width, LINE * len(lines) + 2 * MARGIN), BACK)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + number * LINE), line, font=font, fill=colour(line))
    image.save(path, optimize=True)


def main() -> int:
    """Entry."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        printed, made = session(Path(folder))
        draw(wrapped(printed), PICTURES / "console.png")
        for path in made:
            shutil.copy(path, PICTURES / f"{path.name.split('-')[0]}.png")
    print("written:", *sorted(path.name for path in PICTURES.glob("*.png")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
