import { useState } from "preact/hooks";
import type { ApiKey, CreateKeyBody, NewApiKey, Tenant } from "../../api/admin/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Choice, CopyButton, Field } from "../parts/fields.tsx";
import { StoreChoice } from "../parts/store-choice.tsx";
import { useConsole } from "../state/console.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.keys;
const DAYS = [1, 30, 90, 365] as const;
const DAY_SECONDS = 86_400;

interface Wanted {
  name: string;
  role: ApiKey["role"];
  tenant: string;
  stores: readonly string[];
  dialect: string;
  days: number;
}

interface MakeKeyProps {
  tenants: readonly Tenant[];
  onClose: () => void;
  onMade: (key: NewApiKey) => void;
}

export function MakeKey({ tenants, onClose, onMade }: MakeKeyProps) {
  const { api, me } = useConsole();
  const [wanted, setWanted] = useState<Wanted>({
    name: "",
    // The least that is of use.
    role: "read",
    tenant: me.tenant.id,
    stores: [],
    dialect: "",
    days: 0,
  });
  const change = (changes: Partial<Wanted>) => setWanted({ ...wanted, ...changes });
  const act = async () => onMade(await api.send<NewApiKey>("POST", "admin/keys", bodyOf(wanted, me.tenant.id)));
  return (
    <Dialog title={WORD.make} onClose={onClose}>
      <ActionForm submit={WORD.create} isReady={wanted.name.trim() !== ""} onClose={onClose} act={act}>
        <Field label={WORD.name}>
          <input
            name="key-name"
            value={wanted.name}
            maxLength={256}
            required
            placeholder={WORD.namePlaceholder}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </Field>
        <Choice
          label={WORD.role}
          value={wanted.role}
          options={Object.entries(WORD.roles)}
          onChange={(role) => change({ role: role as ApiKey["role"] })}
        />
        {me.operator && tenants.length > 1 && (
          <Choice
            label={WORD.tenant}
            value={wanted.tenant}
            options={tenants.map(({ id, name }) => [id, visible(name)] as const)}
            onChange={(tenant) => change({ tenant, stores: [] })}
          />
        )}
        <WhichStores wanted={wanted} isOwn={wanted.tenant === me.tenant.id} onChange={(stores) => change({ stores })} />
        <Choice
          label={WORD.expiry}
          value={String(wanted.days)}
          options={[["0", WORD.never], ...DAYS.map((days) => [String(days), WORD.inDays(days)] as const)]}
          onChange={(days) => change({ days: Number(days) })}
        />
        <Choice
          label={WORD.dialect}
          value={wanted.dialect}
          options={[["", WORD.serverDialect], ...Object.entries(WORD.dialects)]}
          onChange={(dialect) => change({ dialect })}
        />
      </ActionForm>
    </Dialog>
  );
}

function bodyOf({ name, role, tenant, stores, dialect, days }: Wanted, own: string): CreateKeyBody {
  return {
    name,
    role,
    ...(tenant === own ? {} : { tenant_id: tenant }),
    ...(stores.length === 0 || role === "admin" ? {} : { vector_store_ids: [...stores] }),
    ...(dialect === "" ? {} : { dialect: dialect as NonNullable<CreateKeyBody["dialect"]> }),
    ...(days === 0 ? {} : { expires_at: Math.floor(Date.now() / 1000) + days * DAY_SECONDS }),
  };
}

interface StoreChoiceProps {
  wanted: Wanted;
  /** Of the tenant whose stores this key sees. */
  isOwn: boolean;
  onChange: (stores: string[]) => void;
}

function WhichStores({ wanted, isOwn, onChange }: StoreChoiceProps) {
  if (wanted.role === "admin") return <p class="quiet">{WORD.adminStores}</p>;
  if (isOwn) return <StoreChoice legend={WORD.whichStores} chosen={wanted.stores} onChange={onChange} />;
  const linesOf = (text: string) => text.split(/[\s,]+/).filter((id) => id !== "");
  return (
    <Field label={WORD.storeIds}>
      <textarea name="store-ids" rows={3} onInput={(event) => onChange(linesOf(event.currentTarget.value))} />
    </Field>
  );
}

/** A key that was just made: this is the only time that anybody sees it. */
export function KeyOnce({ made, onClose }: { made: NewApiKey; onClose: () => void }) {
  return (
    <Dialog title={WORD.made(visible(made.name))} onClose={onClose}>
      <div class="stack">
        <p>{WORD.madeHelp}</p>
        <pre class="code secret" tabIndex={0}>
          {made.key}
        </pre>
        <div class="row end">
          <CopyButton text={() => made.key} />
          <button type="button" class="primary" onClick={onClose}>
            {WORD.madeDone}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
