"""Make the documents' pictures from the program itself: a console session, the equity curve, a chart, every page of the
dashboard.

    python scripts/make_pictures.py                    # writes docs/pictures/*.png; takes some ten minutes
    python scripts/make_pictures.py pages --wait 600   # the dashboard's pages only, after ten minutes of trading

Needs what the tests need, for the pages chromium, playwright and a font with emoji (or signs are boxes). All run on the
simulated exchange, a fixed seed, in folders of their own; the pages with all five systems (tests/e2e/whole_crew.py).
"""

import argparse
import asyncio
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
from tests.e2e.whole_crew import PASSWORD

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


async def pages(program: Program) -> list[str]:
    """A picture of each page there is (its first screen), and of Overview on a phone; what is wrong in the browser.

    A backtest is run first, candles are downloaded and indicators chosen, so that there is something to see.
    """
    from benchmarks.dashboard_acts import a_backtest, a_download, indicators
    from benchmarks.dashboard_tour import Browser, picture
    from modules.dashboard.pages import PAGES

    async with Browser(str((program.beat("dashboard") or {})["info"]["url"]), program) as browser:
        page = await browser.logged_in(1366, "dark", PASSWORD)
        await a_backtest(page, browser)
        await a_download(page, browser)
        await indicators(page, browser)
        for name in PAGES:
            await picture(page, name, PICTURES / f"page-{name}.png", whole=False)
        phone = await browser.logged_in(375, "light", PASSWORD)
        await picture(phone, "overview", PICTURES / "phone-overview.png", whole=False)
        return browser.wrong


def main() -> int:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["console", "pages", "all"], default="all")
    parser.add_argument("--wait", type=float, default=300, help="seconds of trading before the pages are taken")
    chosen = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "console").mkdir()
        if chosen.what != "pages":
            printed, made = session(Path(folder) / "console")
            draw(wrapped(printed), PICTURES / "console.png")
            for path in made:
                shutil.copy(path, PICTURES / f"{path.name.split('-')[0]}.png")
        if chosen.what != "console":
            from benchmarks.dashboard_tour import crew_with_positions

            program = crew_with_positions(Path(folder) / "crew", chosen.wait)
            try:
                time.sleep(chosen.wait)
                wrong = asyncio.run(pages(program))
            finally:
                program.kill_all()
            print(*wrong, sep="\n")
    print("written:", *sorted(path.name for path in PICTURES.glob("*.png")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
