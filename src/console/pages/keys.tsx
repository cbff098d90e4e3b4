import { useState } from "preact/hooks";
import type { ApiKey, NewApiKey, Tenant } from "../../api/admin/schema.ts";
import { allOf } from "../api.ts";
import { OPERATE } from "../operate-words.ts";
import { Load, More } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { type Loaded, useLoad } from "../state/use-load.ts";
import { useRows } from "../state/use-rows.ts";
import { KeyOnce, MakeKey } from "./key-dialogs.tsx";
import { KeyTable } from "./key-table.tsx";
import { MakeTenant } from "./tenant-dialogs.tsx";
import { TenantTable } from "./tenant-table.tsx";

const WORD = OPERATE.keys;

/** Who may use the server: keys, and the tenants that own them. */
export function KeysPage() {
  const { api } = useConsole();
  const tenants = useLoad("tenants", (signal) => allOf<Tenant>(api, "admin/tenants?limit=100", signal));
  return (
    <>
      <h1>{WORD.title}</h1>
      <Keys tenants={tenants.data ?? []} />
      <Tenants list={tenants} />
    </>
  );
}

function Keys({ tenants }: { tenants: readonly Tenant[] }) {
  const list = useRows<ApiKey>("admin/keys?limit=100");
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState<NewApiKey | null>(null);
  return (
    <section class="stack" aria-labelledby="keys">
      <div class="row spread">
        <h2 id="keys">{WORD.keys}</h2>
        <button type="button" class="primary" onClick={() => setMaking(true)}>
          {WORD.make}
        </button>
      </div>
      <Load of={list}>
        {({ data: rows, hasMore }) => {
          if (rows.length === 0) return <p>{WORD.none}</p>;
          return (
            <>
              <KeyTable keys={rows} tenants={tenants} onChange={list.reload} />
              <p class="quiet">{OPERATE.loaded(rows.length, hasMore)}</p>
              <More of={list} />
            </>
          );
        }}
      </Load>
      {isMaking && (
        <MakeKey
          tenants={tenants}
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMaking(false);
            setMade(key);
            list.reload();
          }}
        />
      )}
      {made !== null && <KeyOnce made={made} onClose={() => setMade(null)} />}
    </section>
  );
}

function Tenants({ list }: { list: Loaded<Tenant[]> }) {
  const { me } = useConsole();
  const [isMaking, setMaking] = useState(false);
  return (
    <section class="stack" aria-labelledby="tenants">
      <div class="row spread">
        <h2 id="tenants">{OPERATE.tenants.title}</h2>
        {me.operator && (
          <button type="button" onClick={() => setMaking(true)}>
            {OPERATE.tenants.make}
          </button>
        )}
      </div>
      <Load of={list}>
        {(rows) =>
          rows.length === 0 ? <p>{OPERATE.tenants.none}</p> : <TenantTable tenants={rows} onChange={list.reload} />
        }
      </Load>
      {isMaking && (
        <MakeTenant
          onClose={() => setMaking(false)}
          onDone={() => {
            setMaking(false);
            list.reload();
          }}
        />
      )}
    </section>
  );
}
