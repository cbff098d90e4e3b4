import { useState } from "preact/hooks";
import type { ApiKey, Tenant } from "../../api/admin/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { Name, State, Time } from "../parts/text.tsx";
import { TypedConfirm } from "../parts/typed-confirm.tsx";
import { useConsole } from "../state/console.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.keys;

interface KeyTableProps {
  keys: readonly ApiKey[];
  tenants: readonly Tenant[];
  onChange: () => void;
}

export function KeyTable({ keys, tenants, onChange }: KeyTableProps) {
  const names = new Map(tenants.map(({ id, name }) => [id, name]));
  const hasTenants = tenants.length > 1;
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{WORD.name}</th>
          <th scope="col">{WORD.hint}</th>
          <th scope="col">{WORD.role}</th>
          <th scope="col">{WORD.stores}</th>
          {hasTenants && <th scope="col">{WORD.tenant}</th>}
          <th scope="col">{WORD.dialect}</th>
          <th scope="col">{WORD.expiry}</th>
          <th scope="col">{WORD.used}</th>
          <th scope="col">{WORD.actions}</th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <Row
            key={key.id}
            of={key}
            tenant={hasTenants ? (names.get(key.tenant_id) ?? key.tenant_id) : null}
            onChange={onChange}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row({ of: key, tenant, onChange }: { of: ApiKey; tenant: string | null; onChange: () => void }) {
  const { api, me } = useConsole();
  const [isRevoking, setRevoking] = useState(false);
  const isOwn = key.id === me.key_id;
  const revoke = async () => {
    await api.send("DELETE", `admin/keys/${encodeURIComponent(key.id)}`);
    setRevoking(false);
    onChange();
  };
  return (
    <tr>
      <th scope="row" data-label={WORD.name}>
        <Name of={key.name} />
        {isOwn && <span class="badge">{WORD.ownKey}</span>}
      </th>
      <td data-label={WORD.hint}>
        <code>{visible(key.hint)}</code>
      </td>
      <td data-label={WORD.role}>{key.role}</td>
      <td data-label={WORD.stores}>
        <Stores ids={key.vector_store_ids} />
      </td>
      {tenant !== null && (
        <td data-label={WORD.tenant}>
          <Name of={tenant} />
        </td>
      )}
      <td data-label={WORD.dialect}>{key.dialect ?? WORD.serverDialect}</td>
      <td data-label={WORD.expiry}>
        <Expiry at={key.expires_at} />
      </td>
      <td data-label={WORD.used}>{key.last_used_at === null ? WORD.neverUsed : <Time at={key.last_used_at} />}</td>
      <td data-label={WORD.actions}>
        <div class="actions">
          <button type="button" onClick={() => setRevoking(true)}>
            {WORD.revoke}
          </button>
        </div>
        {isRevoking && (
          <TypedConfirm
            title={WORD.revokeTitle(visible(key.name))}
            help={isOwn ? `${WORD.revokeHelp} ${WORD.revokeOwn}` : WORD.revokeHelp}
            name={key.name}
            submit={WORD.revoke}
            onClose={() => setRevoking(false)}
            act={revoke}
          />
        )}
      </td>
    </tr>
  );
}

function Stores({ ids }: { ids: ApiKey["vector_store_ids"] }) {
  if (ids === null) return <span>{WORD.allStores}</span>;
  return (
    <details>
      <summary>{WORD.someStores(ids.length)}</summary>
      <ul class="plain">
        {ids.map((id) => (
          <li key={id}>
            <code>{id}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Expiry({ at }: { at: number | null }) {
  if (at === null) return <span>{WORD.never}</span>;
  if (at * 1000 <= Date.now()) return <State kind="bad" word={WORD.expired} />;
  return <Time at={at} />;
}
