import { useState } from "preact/hooks";
import type { QuotasInput, Tenant } from "../../api/admin/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Field } from "../parts/fields.tsx";
import { useConsole } from "../state/console.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.tenants;
type Quota = keyof typeof WORD.quota;
/** As typed; empty is the server's default. */
type Typed = Readonly<Record<Quota, string>>;

const QUOTAS = Object.keys(WORD.quota) as Quota[];

export function MakeTenant({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api } = useConsole();
  const [name, setName] = useState("");
  const [typed, setTyped] = useState(typedOf(null));
  const act = async () => {
    await api.send("POST", "admin/tenants", { name, quotas: quotasOf(typed) });
    onDone();
  };
  return (
    <Dialog title={WORD.make} onClose={onClose}>
      <ActionForm submit={WORD.create} isReady={name.trim() !== ""} onClose={onClose} act={act}>
        <Field label={WORD.name}>
          <input
            name="tenant-name"
            value={name}
            maxLength={256}
            required
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </Field>
        <QuotaFields typed={typed} onChange={setTyped} />
      </ActionForm>
    </Dialog>
  );
}

interface TenantQuotasProps {
  tenant: Tenant;
  onClose: () => void;
  onDone: () => void;
}

export function TenantQuotas({ tenant, onClose, onDone }: TenantQuotasProps) {
  const { api } = useConsole();
  const [typed, setTyped] = useState(typedOf(tenant.quotas));
  const act = async () => {
    await api.send("POST", `admin/tenants/${encodeURIComponent(tenant.id)}`, { quotas: quotasOf(typed) });
    onDone();
  };
  return (
    <Dialog title={WORD.quotasTitle(visible(tenant.name))} onClose={onClose}>
      <ActionForm submit={WORD.save} onClose={onClose} act={act}>
        <QuotaFields typed={typed} onChange={setTyped} />
      </ActionForm>
    </Dialog>
  );
}

function QuotaFields({ typed, onChange }: { typed: Typed; onChange: (typed: Typed) => void }) {
  return (
    <>
      <p class="quiet">{WORD.quotasHelp}</p>
      {QUOTAS.map((quota) => (
        <Field key={quota} label={WORD.quota[quota]}>
          <input
            name={quota}
            type="number"
            min={quota.startsWith("max_") ? 0 : 1}
            value={typed[quota]}
            onInput={(event) => onChange({ ...typed, [quota]: event.currentTarget.value })}
          />
        </Field>
      ))}
    </>
  );
}

function typedOf(quotas: Tenant["quotas"] | null): Typed {
  return Object.fromEntries(QUOTAS.map((quota) => [quota, String(quotas?.[quota] ?? "")])) as Record<Quota, string>;
}

function quotasOf(typed: Typed): QuotasInput {
  return Object.fromEntries(QUOTAS.map((quota) => [quota, typed[quota] === "" ? null : Number(typed[quota])]));
}
