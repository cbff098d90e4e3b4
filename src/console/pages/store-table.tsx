import { useState } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { CopyButton } from "../parts/fields.tsx";
import { Name, State, stateKind, Time } from "../parts/text.tsx";
import { addressOf } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { bytesText, numberText } from "../text/format.ts";
import { WORDS } from "../words.ts";
import { RemoveStore, RenameStore } from "./store-dialogs.tsx";

type Order = "name" | "files" | "chunks" | "size" | "used";

const VALUES: Record<Order, (store: VectorStore) => string | number> = {
  name: (store) => store.name.toLocaleLowerCase(),
  files: (store) => -store.file_counts.total,
  chunks: (store) => -(store.index?.chunks ?? 0),
  size: (store) => -store.usage_bytes,
  used: (store) => -(store.last_active_at ?? 0),
};

/** `active`, or what keeps the store from being that. */
export function storeState(store: VectorStore): string {
  if (store.status === "expired") return "expired";
  if (store.lifecycle !== undefined && store.lifecycle !== "active") return store.lifecycle;
  return store.status === "in_progress" ? "indexing" : "active";
}

export function StoreTable({ stores, onChange }: { stores: readonly VectorStore[]; onChange: () => void }) {
  const [order, setOrder] = useState<Order | null>(null);
  const value = order === null ? null : VALUES[order];
  const sorted = value === null ? stores : stores.toSorted((a, b) => (value(a) < value(b) ? -1 : 1));
  const head = (name: Order, word: string) => (
    <th scope="col" aria-sort={order === name ? "ascending" : "none"}>
      <button type="button" class="plain" onClick={() => setOrder(order === name ? null : name)}>
        {word}
        <span aria-hidden="true">{order === name ? " ▾" : ""}</span>
      </button>
    </th>
  );
  return (
    <table class="cards">
      <thead>
        <tr>
          {head("name", WORDS.store.name)}
          {head("files", WORDS.store.files)}
          {head("chunks", WORDS.store.chunks)}
          {head("size", WORDS.store.size)}
          <th scope="col">{WORDS.store.model}</th>
          <th scope="col">{WORDS.store.state}</th>
          {head("used", WORDS.store.used)}
          <th scope="col">{WORDS.store.actions}</th>
        </tr>
      </thead>
      <tbody>
        {sorted.map((store) => (
          <Row key={store.id} store={store} onChange={onChange} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ store, onChange }: { store: VectorStore; onChange: () => void }) {
  const known = useConsole();
  const [dialog, setDialog] = useState<"rename" | "remove" | null>(null);
  const close = () => setDialog(null);
  const changed = () => {
    close();
    onChange();
  };
  const words = WORDS.store;
  const state = storeState(store);
  return (
    <tr>
      <th scope="row" data-label={words.name}>
        <a href={addressOf({ page: "files", store: store.id })}>
          <Name of={store.name === "" ? store.id : store.name} />
        </a>
      </th>
      <td data-label={words.files}>
        <Counts of={store.file_counts} />
      </td>
      <td data-label={words.chunks}>{numberText(store.index?.chunks ?? 0)}</td>
      <td data-label={words.size}>{bytesText(store.usage_bytes)}</td>
      <td data-label={words.model}>
        <Name of={store.index?.model ?? store.embedding_model ?? ""} />
      </td>
      <td data-label={words.state}>
        <State kind={stateKind(state)} word={words.states[state] ?? state} />
      </td>
      <td data-label={words.used}>
        <Time at={store.last_active_at} />
      </td>
      <td data-label={words.actions}>
        <div class="actions">
          <CopyButton text={() => store.id} label={words.copyId} />
          {mayWrite(known) && (
            <>
              <button type="button" onClick={() => setDialog("rename")}>
                {words.rename}
              </button>
              <button type="button" onClick={() => setDialog("remove")}>
                {words.remove}
              </button>
            </>
          )}
        </div>
        {dialog === "rename" && <RenameStore store={store} onClose={close} onDone={changed} />}
        {dialog === "remove" && <RemoveStore store={store} onClose={close} onDone={changed} />}
      </td>
    </tr>
  );
}

/** Done, in progress and failed, as a bar of three parts and in words. */
export function Counts({ of: { completed, in_progress: running, failed, total } }: { of: VectorStore["file_counts"] }) {
  const share = (count: number) => ({ width: `${total === 0 ? 0 : (100 * count) / total}%` });
  return (
    <span class="counts">
      <span class="parts" aria-hidden="true">
        <i class="good" style={share(completed)} />
        <i class="busy" style={share(running)} />
        <i class="bad" style={share(failed)} />
      </span>
      <span>{WORDS.store.counts(completed, running, failed)}</span>
    </span>
  );
}
