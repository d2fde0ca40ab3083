// Creates, reads and asks a what-if with the generated TypeScript types: the compiler checks every field.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const client = createClient<paths>({ baseUrl: process.argv[2]! });

function check(fits: boolean, what: unknown): void {
  if (!fits) throw new Error(JSON.stringify(what));
}

const stream = "order-ts";
const placed: components["schemas"]["NewEvent"] = { event_type: "Placed", data: { total: 12.5 }, actor: "typescript" };
const append = (expected_revision: components["schemas"]["ExpectedRevision"], event: components["schemas"]["NewEvent"]) =>
  client.POST("/v1/streams/{stream}/events", { params: { path: { stream } }, body: { expected_revision, events: [event] } });

const first = await append("no_stream", placed);
check(first.data?.revision === 1, first);
const second = await append(1, { event_type: "Paid", data: { paid: true } });
check(second.data?.revision === 2, second);
const refused = await append("no_stream", placed);
check(refused.error?.code === "wrong_revision", refused);

const state = await client.GET("/v1/streams/{stream}/state", { params: { path: { stream }, query: { at_revision: 1 } } });
check(state.data?.state["total"] === 12.5, state);

const answer = await client.POST("/v1/what-if", {
  body: { stream, at_revision: 1, do: [{ event: { event_type: "Cancelled", data: { paid: false } } }] },
});
check(answer.data?.state["paid"] === false, answer);

const payload = {
  username: "tess", email: "tess@example.com", first_name: "Tess", last_name: "T", password: "a long password",
};
const accepted = await client.POST("/v1/streams/{stream}/commands", {
  params: { path: { stream: "user-ts" } },
  body: { type: "CreateUser", actor: "typescript", payload },
});
check(accepted.data?.events[0]?.event_type === "UserCreated", accepted);
console.log("typescript client: ok");
