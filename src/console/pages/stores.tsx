import { useState } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { Field } from "../parts/fields.tsx";
import { Load, More } from "../parts/load.tsx";
import type { Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { setQuery } from "../state/use-route.ts";
import { useRows } from "../state/use-rows.ts";
import { WORDS } from "../words.ts";
import { FirstStore } from "./first-store.tsx";
import { MakeStore } from "./store-dialogs.tsx";
import { StoreTable } from "./store-table.tsx";

const PAGE = 100;

export function StoresPage({ route }: { route: Route }) {
  const known = useConsole();
  const [isMaking, setMaking] = useState(false);
  const name = route.query["name"] ?? "";
  const wanted = name === "" ? "" : `&name=${encodeURIComponent(name)}`;
  const list = useRows<VectorStore>(`vector_stores?limit=${PAGE}${wanted}`);
  const isEmpty = list.data?.data.length === 0 && name === "";
  const canMake = mayWrite(known) && known.me.vector_store_ids === null;
  return (
    <>
      <div class="row spread">
        <h1>{WORDS.stores}</h1>
        {!isEmpty && canMake && (
          <button type="button" class="primary" onClick={() => setMaking(true)}>
            {WORDS.store.make}
          </button>
        )}
      </div>
      {!isEmpty && (
        <Field label={WORDS.store.find}>
          <input
            type="search"
            maxLength={256}
            defaultValue={name}
            onInput={(event) => setQuery(route, { name: event.currentTarget.value })}
          />
        </Field>
      )}
      <Load of={list}>
        {(loaded) => {
          if (isEmpty) return canMake ? <FirstStore /> : <p>{WORDS.store.noneToRead}</p>;
          if (loaded.data.length === 0) return <p>{WORDS.store.none}</p>;
          return (
            <>
              <StoreTable stores={loaded.data} onChange={list.reload} />
              <p class="quiet">{WORDS.store.loaded(loaded.data.length, loaded.hasMore)}</p>
              <More of={list} />
            </>
          );
        }}
      </Load>
      {isMaking && <MakeStore onClose={() => setMaking(false)} />}
    </>
  );
}
