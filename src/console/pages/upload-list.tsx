import { useEffect, useState } from "preact/hooks";
import { Bar, Name } from "../parts/text.tsx";
import { useConsole } from "../state/console.ts";
import { bytesText, durationText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import type { Task } from "../upload/queue.ts";
import type { Item, Uploads } from "../upload/uploads.ts";
import { WORDS } from "../words.ts";

/** Rows at most: of thousands those are shown about which something can be done. */
const SHOWN = 50;
const ORDER: Record<Task["stage"], number> = { failed: 0, running: 1, waiting: 2, cancelled: 3, done: 4 };

/** What is on its way into a store, with pause, cancel and another try. */
export function UploadList({ store }: { store: string }) {
  const { uploads } = useConsole();
  const [, redraw] = useState(0);
  useEffect(() => {
    let isDue = false;
    // Progress comes by the hundred a second; a screen shows a few.
    return uploads.listen(() => {
      if (isDue) return;
      isDue = true;
      setTimeout(() => {
        isDue = false;
        redraw((count) => count + 1);
      }, 100);
    });
  }, [uploads]);
  const items = uploads.of(store);
  if (items.length === 0) return null;
  const stageOf = ({ id }: Item) => uploads.queue.stateOf(id)?.stage ?? "done";
  const shown = items.toSorted((a, b) => ORDER[stageOf(a)] - ORDER[stageOf(b)] || a.id - b.id).slice(0, SHOWN);
  const failed = items.filter((item) => stageOf(item) === "failed");
  return (
    <section aria-labelledby="uploads" class="uploads stack">
      <div class="row spread">
        <h2 id="uploads">{WORDS.uploads.title}</h2>
        <Controls uploads={uploads} store={store} failed={failed} />
      </div>
      <Summary uploads={uploads} items={items} failed={failed.length} />
      <ul class="plain">
        {shown.map((item) => (
          <Row key={item.id} item={item} uploads={uploads} />
        ))}
      </ul>
    </section>
  );
}

function Controls({ uploads, store, failed }: { uploads: Uploads; store: string; failed: readonly Item[] }) {
  const { queue } = uploads;
  const words = WORDS.uploads;
  return (
    <div class="row">
      {queue.open > 0 && (
        <button type="button" onClick={() => (queue.isPaused ? queue.goOn() : queue.pause())}>
          {queue.isPaused ? words.goOn : words.pause}
        </button>
      )}
      {queue.open > 0 && (
        <button type="button" onClick={() => queue.cancelAll()}>
          {words.cancelAll}
        </button>
      )}
      {failed.length > 0 && (
        <button type="button" onClick={() => failed.forEach(({ id }) => queue.retry(id))}>
          {WORDS.files.retryFailed}
        </button>
      )}
      {queue.open === 0 && (
        <button type="button" onClick={() => uploads.clear(store)}>
          {words.clear}
        </button>
      )}
    </div>
  );
}

function Summary({ uploads, items, failed }: { uploads: Uploads; items: readonly Item[]; failed: number }) {
  const done = items.filter(({ id }) => uploads.queue.stateOf(id)?.stage === "done").length;
  const { rate, left } = uploads;
  const isMoving = rate !== null && left > 0;
  return (
    <p>
      <Bar part={items.length === 0 ? 1 : done / items.length} label={WORDS.uploads.title} />{" "}
      {WORDS.uploads.summary(done, items.length)}
      {failed > 0 && `, ${WORDS.uploads.failures(failed)}`}
      {isMoving && `, ${WORDS.uploads.rate(bytesText(rate), durationText(left / rate))}`}
    </p>
  );
}

function Row({ item, uploads }: { item: Item; uploads: Uploads }) {
  const { queue } = uploads;
  const { stage = "done", reason = "" } = queue.stateOf(item.id) ?? {};
  const words = WORDS.uploads;
  const part = item.file.size === 0 ? 1 : item.sentBytes / item.file.size;
  const name = visible(item.path);
  return (
    <li class="row spread">
      <span class="grow">
        <Name of={item.path} />
      </span>
      {stage === "running" && <Bar part={part} label={name} kind="busy" />}
      <span class={stage === "failed" ? "bad" : "quiet"}>
        {stage === "failed" ? visible(reason) : wordOf(stage, item)}
      </span>
      {(stage === "waiting" || stage === "running") && (
        <button type="button" aria-label={words.cancelOne(name)} onClick={() => queue.cancel(item.id)}>
          {WORDS.cancel}
        </button>
      )}
      {(stage === "failed" || stage === "cancelled") && (
        <button type="button" aria-label={words.retryOne(name)} onClick={() => queue.retry(item.id)}>
          {WORDS.retry}
        </button>
      )}
    </li>
  );
}

function wordOf(stage: Task["stage"], item: Item): string {
  const words = WORDS.uploads;
  if (stage === "done") return item.isSkipped ? words.skipped : words.done;
  if (stage === "running") return item.sentBytes > 0 ? words.sending : words.checking;
  return stage === "waiting" ? words.waiting : words.cancelled;
}
