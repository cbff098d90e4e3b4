"""What every walk needs: where the server is, and lines that say what held."""

import os
import sys
import time
import traceback
from typing import Callable

URL = os.environ["LECTERN_URL"]
KEY = os.environ["LECTERN_API_KEY"]

_failed = 0


def check(name: str, step: Callable[[], object]) -> object:
    """Runs a step; one that raises is a failure, and the next ones run all the same."""
    global _failed
    try:
        result = step()
        print(f"ok {name}", flush=True)
        return result
    except Exception:
        _failed += 1
        print(f"FAIL {name}: {traceback.format_exc(limit=3)}", flush=True)
        return None


def expect(holds: bool, what: object = "") -> None:
    if not holds:
        raise AssertionError(what)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "not within time")
        time.sleep(0.05)


def done() -> None:
    sys.exit(1 if _failed else 0)
