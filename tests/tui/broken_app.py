"""An app that breaks at the place that its first argument names, with secrets in messages and locals."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import warnings
from typing import Any

from diagnose_tui.crash import CrashSafe, run_app
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

SECRET = os.environ["LAB_SECRET"]
PLACE = sys.argv[1]


def secret_holder() -> None:
    """Break with a secret in a local variable, in the message and in the arguments."""
    token = {"Authorization": f"Bearer {SECRET}"}
    raise KeyError(f"no such header in {token}")


class Rendered(Widget):
    def render(self) -> Any:
        if PLACE == "render":
            secret_holder()
        return Content("ready")


class Rich(Exception):
    """Textual lets an exception with this method draw itself."""

    def __rich__(self) -> str:
        return SECRET


class Broken(CrashSafe[None]):
    def compose(self) -> ComposeResult:
        if PLACE == "compose":
            secret_holder()
        if PLACE == "key":
            yield Input()
        yield Rendered()
        yield Static(SECRET if PLACE == "never" else "")

    async def on_mount(self) -> None:
        begin = getattr(self, f"begin_{PLACE}", None)
        if begin is not None:
            await begin()

    async def begin_handler(self) -> None:
        raise Rich(SECRET)

    async def begin_worker(self) -> None:
        async def work() -> None:
            secret_holder()

        self.run_worker(work())

    async def begin_thread_worker(self) -> None:
        self.run_worker(secret_holder, thread=True)

    async def begin_thread(self) -> None:
        threading.Thread(target=secret_holder).start()

    async def begin_timer(self) -> None:
        self.set_timer(0.01, secret_holder)

    async def begin_callback(self) -> None:
        self.call_after_refresh(secret_holder)

    async def begin_chain(self) -> None:
        self.call_after_refresh(self.run_action, "break_chain('not-for-the-file')")

    async def begin_css(self) -> None:
        self.query_one(Static).styles.background = f"no-colour-{SECRET}"

    async def begin_recursion(self) -> None:
        self.deeper(0)

    async def begin_noise(self) -> None:
        early.warning("noise-early")
        logging.getLogger("late").error("noise-late")
        warnings.warn("noise-warning", UserWarning, stacklevel=1)
        print("noise-print")
        print("noise-stderr", file=sys.stderr)
        self.call_after_refresh(self.exit)

    async def on_unmount(self) -> None:
        if PLACE == "stuck":
            os.write(1, b"ends not")
            await asyncio.Event().wait()

    def deeper(self, depth: int) -> None:
        self.deeper(depth + 1)

    def action_break_chain(self, word: str) -> None:
        try:
            secret_holder()
        except KeyError as problem:
            raise ValueError(f"wrapped {SECRET}") from problem

    def on_input_changed(self, message: Input.Changed) -> None:
        if message.value.endswith("!"):
            secret_holder()


early = logging.getLogger("early")
early.addHandler(logging.StreamHandler(sys.stderr))

if __name__ == "__main__":
    try:
        sys.exit(run_app(Broken(), os.environ))
    except KeyboardInterrupt:  # as the command line has it
        sys.exit(130)
