"""Prints new revisions from the radar: python examples/events.py http://127.0.0.1:8787 [KIND …].

Connects again when it is cut off, and goes on after the last event that it got. Only the standard
library is needed.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode


def events(address: str, kinds: list[str]) -> Iterator[dict[str, object]]:
    """Each new revision, for as long as they are asked for."""
    last = ""
    while True:
        query = urlencode({"kind": kinds, "view": "full"}, doseq=True)
        request = urllib.request.Request(f"{address}/v1/stream?{query}")
        if last:
            request.add_header("Last-Event-ID", last)
        try:
            with urllib.request.urlopen(
                request, timeout=60
            ) as response:  # a heartbeat comes sooner
                event: dict[str, str] = {}
                for line in response:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name:
                        event[name] = value
                        continue
                    if event.get("event") == "trend":
                        last = event["id"]
                        yield json.loads(event["data"])
                    event = {}
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            print(f"cut off ({error}), trying again", file=sys.stderr)
        time.sleep(2)


if __name__ == "__main__":
    for trend in events(sys.argv[1], sys.argv[2:]):
        print(
            trend["event_time"], trend["stage"], trend["name"], trend["why"], sep="\t", flush=True
        )
