import { useState } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { Field } from "../parts/fields.tsx";
import { Load } from "../parts/load.tsx";
import type { Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery } from "../state/use-route.ts";
import { WORDS } from "../words.ts";
import { FirstStore } from "./first-store.tsx";
import { MakeStore } from "./store-dialogs.tsx";
import { StoreTable } from "./store-table.tsx";

interface List {
  data: VectorStore[];
  has_more: boolean;
  last_id: string | null;
}

const PAGE = 100;

export function StoresPage({ route }: { route: Route }) {
  const known = useConsole();
  const { api } = known;
  const [pages, setPages] = useState(1);
  const [isMaking, setMaking] = useState(false);
  const name = route.query["name"] ?? "";
  const list = useLoad<List>(`stores ${name} ${pages}`, async (signal) => {
    const rows: VectorStore[] = [];
    const wanted = name === "" ? "" : `&name=${encodeURIComponent(name)}`;
    let last: List = { data: [], has_more: false, last_id: null };
    for (let page = 0; page < pages; page++) {
      const after = last.last_id === null ? "" : `&after=${encodeURIComponent(last.last_id)}`;
      last = await api.get<List>(`vector_stores?limit=${PAGE}${wanted}${after}`, signal);
      rows.push(...last.data);
      if (!last.has_more) break;
    }
    return { ...last, data: rows };
  });
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
              <p class="quiet">{WORDS.store.loaded(loaded.data.length, loaded.has_more)}</p>
              {loaded.has_more && (
                <button type="button" onClick={() => setPages(pages + 1)}>
                  {WORDS.more}
                </button>
              )}
            </>
          );
        }}
      </Load>
      {isMaking && <MakeStore onClose={() => setMaking(false)} />}
    </>
  );
}
