import { useState } from "preact/hooks";
import type { Tenant } from "../../api/admin/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { Failure } from "../parts/load.tsx";
import { Bar, Name, State, stateKind, Time } from "../parts/text.tsx";
import { TypedConfirm } from "../parts/typed-confirm.tsx";
import { useConsole } from "../state/console.ts";
import { bytesText, numberText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { TenantQuotas } from "./tenant-dialogs.tsx";

const WORD = OPERATE.tenants;
/** From here on a quota is about to be a problem. */
const NEARLY = 0.9;

export function TenantTable({ tenants, onChange }: { tenants: readonly Tenant[]; onChange: () => void }) {
  const { me } = useConsole();
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{WORD.name}</th>
          <th scope="col">{WORD.state}</th>
          <th scope="col">{WORD.stores}</th>
          <th scope="col">{WORD.files}</th>
          <th scope="col">{WORD.bytes}</th>
          <th scope="col">{WORD.limits}</th>
          <th scope="col">{WORD.created}</th>
          {me.operator && <th scope="col">{WORD.actions}</th>}
        </tr>
      </thead>
      <tbody>
        {tenants.map((tenant) => (
          <Row key={tenant.id} tenant={tenant} onChange={onChange} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ tenant, onChange }: { tenant: Tenant; onChange: () => void }) {
  const { me } = useConsole();
  const { quotas, usage } = tenant;
  return (
    <tr>
      <th scope="row" data-label={WORD.name}>
        <Name of={tenant.name === "" ? tenant.id : tenant.name} />
      </th>
      <td data-label={WORD.state}>
        <State kind={stateKind(tenant.status)} word={WORD.states[tenant.status] ?? tenant.status} />
      </td>
      <td data-label={WORD.stores}>
        <Used label={WORD.stores} used={usage.vector_stores} limit={quotas.max_vector_stores} text={numberText} />
      </td>
      <td data-label={WORD.files}>{numberText(usage.files)}</td>
      <td data-label={WORD.bytes}>
        <Used label={WORD.bytes} used={usage.bytes} limit={quotas.max_bytes} text={bytesText} />
      </td>
      <td data-label={WORD.limits}>{limitsText(quotas)}</td>
      <td data-label={WORD.created}>
        <Time at={tenant.created_at} />
      </td>
      {me.operator && (
        <td data-label={WORD.actions}>
          <Actions tenant={tenant} isFirst={tenant.id === me.tenant.id} onChange={onChange} />
        </td>
      )}
    </tr>
  );
}

interface UsedProps {
  label: string;
  used: number;
  limit: number | null;
  text: (value: number) => string;
}

/** How much of a quota is used: as a bar and in words; without a quota, how much there is. */
function Used({ label, used, limit, text }: UsedProps) {
  if (limit === null) return <span>{text(used)}</span>;
  const part = limit === 0 ? 1 : used / limit;
  return (
    <span class="counts">
      <Bar part={part} label={label} kind={part >= NEARLY ? "bad" : "good"} />
      <span>{WORD.of(text(used), text(limit))}</span>
    </span>
  );
}

function limitsText(quotas: Tenant["quotas"]): string {
  const parts = [
    quotas.max_files_per_store === null ? null : WORD.perStore(quotas.max_files_per_store),
    quotas.requests_per_minute === null ? null : WORD.perMinute(quotas.requests_per_minute),
    quotas.concurrent_ingests === null ? null : WORD.ingests(quotas.concurrent_ingests),
  ].filter((part) => part !== null);
  return parts.length === 0 ? WORD.noLimits : parts.join(", ");
}

/** `isFirst`: its keys administer the server, so it can be neither suspended nor deleted. */
function Actions({ tenant, isFirst, onChange }: { tenant: Tenant; isFirst: boolean; onChange: () => void }) {
  const { api } = useConsole();
  const [dialog, setDialog] = useState<"quotas" | "remove" | null>(null);
  const [isActing, setActing] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const path = `admin/tenants/${encodeURIComponent(tenant.id)}`;
  const name = tenant.name === "" ? tenant.id : tenant.name;
  const isSuspended = tenant.status === "suspended";
  const done = () => {
    setDialog(null);
    onChange();
  };
  const toggle = async () => {
    setActing(true);
    setError(null);
    try {
      await api.send("POST", path, { status: isSuspended ? "active" : "suspended" });
      onChange();
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setActing(false);
  };
  const remove = async () => {
    await api.send("DELETE", path);
    done();
  };
  return (
    <>
      <div class="actions">
        <button type="button" onClick={() => setDialog("quotas")}>
          {WORD.quotas}
        </button>
        {!isFirst && (
          <>
            <button type="button" disabled={isActing} onClick={() => void toggle()}>
              {isSuspended ? WORD.resume : WORD.suspend}
            </button>
            <button type="button" onClick={() => setDialog("remove")}>
              {WORD.remove}
            </button>
          </>
        )}
      </div>
      {error !== null && <Failure error={error} />}
      {dialog === "quotas" && <TenantQuotas tenant={tenant} onClose={() => setDialog(null)} onDone={done} />}
      {dialog === "remove" && (
        <TypedConfirm
          title={WORD.removeTitle(visible(name))}
          help={WORD.removeHelp(tenant.usage.vector_stores, tenant.usage.files)}
          name={name}
          submit={WORD.remove}
          onClose={() => setDialog(null)}
          act={remove}
        />
      )}
    </>
  );
}
