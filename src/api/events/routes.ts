import type { Operation } from "../../http/operation.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { Presenter } from "../presenters/presenter.ts";
import { askingOf } from "../vector-stores/asking.ts";
import type { StoreEvent } from "./progress-stream.ts";
import type { EventsService } from "./service.ts";

const STREAM = {
  mediaType: "text/event-stream",
  description: "Events `progress`, at most four a second, then `done`.",
};
/** A comment line keeps proxies from closing a stream on which nothing happens. */
const HEARTBEAT_MS = 15_000;

export function eventOperations(events: EventsService): Operation[] {
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
      (call) => {
        call.keepOpen();
        const over = AbortSignal.any([call.signal, call.stopping]);
        return streamed(
          (signal) => events.batch(askingOf(call), call.params.batch_id, signal),
          presenterFor(call.dialect),
          over,
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
        response: STREAM,
        errors: ["vector_store_not_found"],
      },
      (call) => {
        call.keepOpen();
        const over = AbortSignal.any([call.signal, call.stopping]);
        return streamed((signal) => events.store(askingOf(call), signal), presenterFor(call.dialect), over);
      },
    ),
  ];
}

/** `open` throws what the client is told instead of a stream. */
async function streamed(
  open: (signal: AbortSignal) => Promise<AsyncIterable<StoreEvent>>,
  presenter: Presenter,
  over: AbortSignal,
): Promise<Response> {
  const gone = new AbortController();
  const events = await open(AbortSignal.any([over, gone.signal]));
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const heartbeat = setInterval(() => {
        if (!gone.signal.aborted) controller.enqueue(encoder.encode(":\n\n"));
      }, HEARTBEAT_MS);
      try {
        for await (const event of events) {
          if (gone.signal.aborted) return;
          controller.enqueue(encoder.encode(textOf(event, presenter)));
        }
        if (!gone.signal.aborted) controller.close();
      } catch (error) {
        if (gone.signal.aborted) return;
        controller.error(error);
      } finally {
        clearInterval(heartbeat);
      }
    },
    cancel() {
      gone.abort();
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

function textOf({ event, data }: StoreEvent, presenter: Presenter): string {
  const shown = "batch" in data ? presenter.batch(data.batch, data.cancelling) : data;
  return `event: ${event}\ndata: ${JSON.stringify(shown)}\n\n`;
}
