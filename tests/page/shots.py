"""Pictures of every view, in light, dark and narrow: `make page-shots`, then look at them.

PYTHONPATH=tests:tests/page python tests/page/shots.py FOLDER [VIEW…]
"""

from __future__ import annotations

import sys
from pathlib import Path

from browser import CHROMIUM, launched
from stand_in import StandIn
from test_views import MODES, routes


def main(folder: Path, *views: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    console = StandIn()
    try:
        with launched(CHROMIUM) as browser:
            for mode, width in MODES.items():
                browser.resize(width, 844 if mode == "narrow" else 900)
                browser.open(console.url)
                browser.run(f"localStorage.setItem('theme', '{'dark' if mode == 'dark' else 'light'}')")
                for view, (route, filled) in routes(console).items():
                    if not views or view in views:
                        browser.open(console.url + route)
                        browser.wait(f"document.querySelector({filled!r})")
                        browser.screenshot(folder / f"{view}-{mode}.png")
    finally:
        console.close()
    print(f"pictures are in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
