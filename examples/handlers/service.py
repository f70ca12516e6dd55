#!/usr/bin/env python3
"""A service in Python that answers each job with its payload: lines of JSON on descriptors 3 and 4."""
import json
import os


class JobError(Exception):
    """Raise it with outcome "retry", "fail", or "snooze" and after_seconds."""

    def __init__(self, message, outcome="retry", after_seconds=None):
        super().__init__(message)
        self.data = {"outcome": outcome}
        if after_seconds is not None:
            self.data["afterSeconds"] = after_seconds


def work(job):
    return job["payload"]


def answer(order):
    if order["method"] == "initialize":
        return {"result": {"name": "echo", "version": "1", "concurrency": 64, "pings": True}}
    if order["method"] != "job.run":  # ping
        return {"result": {}}
    try:
        return {"result": {"value": work(order["params"])}}
    except JobError as error:
        return {"error": {"code": 1, "message": str(error), "data": error.data}}


answers = os.fdopen(4, "wb")
rest = b""
while chunk := os.read(3, 1 << 16):  # its end means: finish and exit
    *lines, rest = (rest + chunk).split(b"\n")
    for order in map(json.loads, lines):
        if "id" in order:  # the others, job.cancel and shutdown, want no answer
            reply = {"jsonrpc": "2.0", "id": order["id"], **answer(order)}
            answers.write(json.dumps(reply, separators=(",", ":")).encode() + b"\n")
    answers.flush()
