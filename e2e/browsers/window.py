"""A browser window, whichever protocol drives it."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from typing import Any

KEYS = {"Control": "\ue009", "Enter": "\ue007", "Escape": "\ue00c", "PageUp": "\ue00e"}
"""The code points of the WebDriver standard for keys without a character: https://www.w3.org/TR/webdriver2/#keyboard-actions"""

WAIT_SECONDS = 15.0


class Window(ABC):
    """One window of a browser, with real keys and a real mouse."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Load a page, and wait until it has loaded."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited. The value must be JSON."""

    @abstractmethod
    def perform(self, *sources: dict[str, Any]) -> None:
        """Perform input actions, as the WebDriver standard defines them."""

    @abstractmethod
    def close(self) -> None:
        """Close the window, and end the browser."""

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true. Raises AssertionError after `WAIT_SECONDS`."""
        until = time.monotonic() + WAIT_SECONDS
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > until:
                shown = self.evaluate("[location.href, document.querySelector('live-status')?.textContent]")
                raise AssertionError(f"still not true on {shown}: {expression}")
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Scroll to the first element that matches, and click its middle."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found}?.checkVisibility()")
        middle = (
            f"(() => {{ const one = {found}; one.scrollIntoView({{block: 'center'}});"
            " const box = one.getBoundingClientRect();"
            " return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]; })()"
        )
        x, y = self.evaluate(middle)
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.perform({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves})

    def press(self, *keys: str) -> None:
        """Press these keys together: characters, or names of `KEYS`."""
        codes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": "keyDown", "value": code} for code in codes]
        actions += [{"type": "keyUp", "value": code} for code in reversed(codes)]
        self.perform({"type": "key", "id": "keyboard", "actions": actions})

    def type(self, text: str) -> None:
        """Type a text."""
        for character in text:
            self.press(character)
