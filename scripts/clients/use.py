"""Creates, reads and asks a what-if with the generated Python client: every value has a type of its own."""

import sys

from whodunit_client import Client
from whodunit_client.api.browse import get_stream
from whodunit_client.api.time_travel import get_state
from whodunit_client.api.what_if import run_what_if
from whodunit_client.api.write import append_events, send_command
from whodunit_client.models import (
    AppendedOut,
    AppendIn,
    CommandAccepted,
    CommandIn,
    NewEvent,
    Problem,
    StateOut,
    Stream,
    WhatIfIn,
    WhatIfOut,
)
from whodunit_client.models import NewEventData as Data

client = Client(base_url=sys.argv[1])

placed = NewEvent(event_type="Placed", data=Data.from_dict({"total": 12.5}), actor="python")
body = AppendIn(events=[placed], expected_revision="no_stream")
appended = append_events.sync("order-py", client=client, body=body)
assert isinstance(appended, AppendedOut) and appended.revision == 1, appended
paid = NewEvent(event_type="Paid", data=Data.from_dict({"paid": True}))
appended = append_events.sync("order-py", client=client, body=AppendIn(events=[paid], expected_revision=1))
assert isinstance(appended, AppendedOut) and appended.revision == 2, appended

again = append_events.sync("order-py", client=client, body=body)
assert isinstance(again, Problem) and again.code == "wrong_revision", again

state = get_state.sync("order-py", client=client, at_revision=1)
assert isinstance(state, StateOut) and state.state.to_dict() == {"total": 12.5}, state
stream = get_stream.sync("order-py", client=client)
assert isinstance(stream, Stream) and stream.revision == 2, stream

question = WhatIfIn.from_dict(
    {"stream": "order-py", "at_revision": 1, "do": [{"event": {"event_type": "Cancelled", "data": {"paid": False}}}]}
)
answer = run_what_if.sync(client=client, body=question)
assert isinstance(answer, WhatIfOut) and answer.state.to_dict() == {"total": 12.5, "paid": False}, answer

command = CommandIn.from_dict(
    {
        "type": "CreateUser",
        "actor": "python",
        "payload": {
            "username": "paul", "email": "paul@example.com", "first_name": "Paul", "last_name": "P",
            "password": "a long password",
        },
    }
)
accepted = send_command.sync("user-py", client=client, body=command)
assert isinstance(accepted, CommandAccepted) and accepted.events[0].event_type == "UserCreated", accepted
print("python client: ok")
