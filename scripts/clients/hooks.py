"""How the fuzzer writes and reads bodies that are no JSON."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    """The document describes a line: all are read, one is compared. An export's lines are described as text."""
    if context.operation.path == "/v1/export":
        return response.content.decode("utf-8")
    lines = [json.loads(line) for line in response.content.splitlines()]
    return lines[len(response.content) % len(lines)]
