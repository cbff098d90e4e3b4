import { useState } from "preact/hooks";
import type { AddRemoteModelBody, RemoteModelTrial } from "../../api/models/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Choice, Field } from "../parts/fields.tsx";
import { Failure } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { numberText } from "../text/format.ts";
import { Prefixes } from "./add-folder.tsx";

const WORD = OPERATE.models;

interface Wanted {
  id: string;
  dialect: AddRemoteModelBody["dialect"];
  address: string;
  model: string;
  keyVariable: string;
  queryPrefix: string;
  passagePrefix: string;
}

const NOTHING: Wanted = {
  id: "",
  dialect: "openai-compatible",
  address: "",
  model: "",
  keyVariable: "",
  queryPrefix: "",
  passagePrefix: "",
};

interface AddRemoteProps {
  onClose: () => void;
  onDone: () => void;
}

/** A model that another server runs; "try" asks it for one vector before it is added. */
export function AddRemote({ onClose, onDone }: AddRemoteProps) {
  const { api } = useConsole();
  const [wanted, setWanted] = useState(NOTHING);
  const isReady = wanted.id.trim() !== "";
  const act = async () => {
    await api.send<RemoteModelTrial>("POST", "admin/models/remote", bodyOf(wanted));
    onDone();
  };
  return (
    <Dialog title={WORD.addRemote} onClose={onClose}>
      <ActionForm submit={WORD.add} isReady={isReady} onClose={onClose} act={act}>
        <p>{WORD.remoteHelp}</p>
        <Fields wanted={wanted} onChange={setWanted} />
        <Trial key={JSON.stringify(wanted)} wanted={wanted} isReady={isReady} />
      </ActionForm>
    </Dialog>
  );
}

function bodyOf({ id, dialect, address, model, keyVariable, queryPrefix, passagePrefix }: Wanted): AddRemoteModelBody {
  return {
    id: id.trim(),
    dialect,
    ...(address.trim() !== "" && { address: address.trim() }),
    ...(model.trim() !== "" && { model: model.trim() }),
    ...(keyVariable.trim() !== "" && { api_key_env: keyVariable.trim() }),
    ...(queryPrefix !== "" && { query_prefix: queryPrefix }),
    ...(passagePrefix !== "" && { passage_prefix: passagePrefix }),
  };
}

function Fields({ wanted, onChange }: { wanted: Wanted; onChange: (wanted: Wanted) => void }) {
  const text = (name: "id" | "address" | "model" | "keyVariable", label: string) => (
    <Field label={label}>
      <input
        name={name}
        value={wanted[name]}
        maxLength={500}
        autoComplete="off"
        spellcheck={false}
        onInput={(event) => onChange({ ...wanted, [name]: event.currentTarget.value })}
      />
    </Field>
  );
  return (
    <>
      <Choice
        label={WORD.dialect}
        value={wanted.dialect}
        options={Object.entries(WORD.dialects)}
        onChange={(dialect) => onChange({ ...wanted, dialect: dialect as Wanted["dialect"] })}
      />
      {text("address", WORD.address)}
      {text("id", WORD.id)}
      {text("model", WORD.remoteName)}
      {text("keyVariable", WORD.keyVariable)}
      <p class="quiet">{WORD.keyHelp}</p>
      <Prefixes
        query={wanted.queryPrefix}
        passage={wanted.passagePrefix}
        onChange={(queryPrefix, passagePrefix) => onChange({ ...wanted, queryPrefix, passagePrefix })}
      />
    </>
  );
}

/** Shown for what is typed now: another model's outcome says nothing of this one. */
function Trial({ wanted, isReady }: { wanted: Wanted; isReady: boolean }) {
  const { api } = useConsole();
  const [isTrying, setTrying] = useState(false);
  const [trial, setTrial] = useState<RemoteModelTrial | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const run = async () => {
    setTrying(true);
    setError(null);
    setTrial(null);
    try {
      setTrial(await api.send<RemoteModelTrial>("POST", "admin/models/remote", { ...bodyOf(wanted), dry_run: true }));
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setTrying(false);
  };
  return (
    <div class="stack">
      <div class="row">
        <button type="button" disabled={isTrying || !isReady} onClick={() => void run()}>
          {WORD.tryIt}
        </button>
        {trial !== null && (
          <span role="status">{WORD.tried(trial.dimensions, numberText(Math.round(trial.latency_ms)))}</span>
        )}
      </div>
      {error !== null && <Failure error={error} />}
    </div>
  );
}
