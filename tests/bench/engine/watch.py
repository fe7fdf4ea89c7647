"""One live watcher, in a process of its own: reads the overlays of every job and fetches each picture, until it is ended."""

import http.client
import json
import sys
from urllib.parse import urlsplit


def main(url: str) -> None:
    """Say `watching` when the feed has opened, then read for ever."""
    place = urlsplit(url)
    feed = http.client.HTTPConnection(place.hostname, place.port)
    feed.request("GET", "/v1/insights?types=overlay")
    lines = feed.getresponse()
    pictures = http.client.HTTPConnection(place.hostname, place.port)
    while line := lines.readline():
        if line.startswith(b"event: hello"):
            print("watching", flush=True)
        if line.startswith(b"data: ") and b'"image_url"' in line:
            pictures.request("GET", json.loads(line[6:])["image_url"])
            pictures.getresponse().read()


if __name__ == "__main__":
    main(sys.argv[1])
