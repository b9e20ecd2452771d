"""An app that gives its visitor a file: what textual's own screenshot command does."""

from __future__ import annotations

import io
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType


class Delivering(App[None]):
    """Delivers a drawing with a script in it when ``d`` is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [("d", "deliver", "deliver")]

    def action_deliver(self) -> None:
        drawing = io.StringIO('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
        self.deliver_text(drawing, save_filename="shot.svg", open_method="browser", mime_type="image/svg+xml")


if __name__ == "__main__":
    Delivering().run()
