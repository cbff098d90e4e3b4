import { Type } from "@sinclair/typebox";
import type { Operation } from "../../http/operation.ts";
import { EVENT_STREAM } from "../../http/event-stream.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
import { eventStream, type StreamDeps } from "./event-stream.ts";
import type { EventsService } from "./service.ts";

const STREAM = {
  mediaType: EVENT_STREAM,
  description: "Events `progress`, at most four a second, then `done`.",
};

export function eventOperations(events: EventsService, deps: StreamDeps): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/events",
        operationId: "streamVectorStoreFileBatchEvents",
        summary: "Follow a file batch as server-sent events",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: STREAM,
        errors: ["vector_store_not_found", "file_batch_not_found"],
      },
      async (call) => {
        const subject = await events.batch(askingOf(call), call.params.batch_id);
        call.keepOpen();
        return eventStream(call, deps, subject, async () =>
          events.mayFollow(askingOf({ ...call, caller: await call.callerNow() })),
        );
      },
    ),
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/events",
        operationId: "streamVectorStoreEvents",
        summary: "Follow what is being indexed in a store as server-sent events",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: Type.Object({
          follow: Type.Optional(
            Type.Boolean({
              default: false,
              description: "Stays open when nothing is in progress, and tells of files that come and go later.",
            }),
          ),
        }),
        response: STREAM,
        errors: ["vector_store_not_found"],
      },
      async (call) => {
        const subject = await events.store(askingOf(call), { follow: call.query.follow === true });
        call.keepOpen();
        return eventStream(call, deps, subject, async () =>
          events.mayFollow(askingOf({ ...call, caller: await call.callerNow() })),
        );
      },
    ),
  ];
}
