import { useState } from "preact/hooks";
import type { Model } from "../../api/models/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Choice, Field } from "../parts/fields.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { goTo } from "../state/use-route.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";

export function MakeStore({ onClose }: { onClose: () => void }) {
  const { api, me } = useConsole();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [model, setModel] = useState("");
  const [days, setDays] = useState("");
  const models = useLoad("models", (signal) => api.get<{ data: Model[] }>("models", signal));
  const usable = (models.data?.data ?? []).filter(
    ({ type, location }) => (type === undefined || type === "embedding") && location !== "alias",
  );
  const fallback = `${me.features.default_model}`;
  const act = async () => {
    const store = await api.send<VectorStore>("POST", "vector_stores", {
      name,
      ...(description === "" ? {} : { description }),
      ...(model === "" ? {} : { embedding_model: model }),
      ...(days === "" ? {} : { expires_after: { anchor: "last_active_at", days: Number(days) } }),
    });
    onClose();
    goTo({ page: "files", store: store.id });
  };
  const others = usable.filter(({ id }) => id !== fallback).map(({ id }) => [id, visible(id)] as const);
  return (
    <Dialog title={WORDS.store.make} onClose={onClose}>
      <ActionForm submit={WORDS.store.create} isReady={name.trim() !== ""} onClose={onClose} act={act}>
        <Field label={WORDS.store.name}>
          <input value={name} maxLength={256} required onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        <Field label={WORDS.store.description}>
          <input value={description} maxLength={500} onInput={(event) => setDescription(event.currentTarget.value)} />
        </Field>
        <Choice label={WORDS.store.model} value={model} onChange={setModel} options={[["", fallback], ...others]} />
        <Field label={WORDS.store.expiry}>
          <input type="number" min={1} max={365} value={days} onInput={(event) => setDays(event.currentTarget.value)} />
        </Field>
      </ActionForm>
    </Dialog>
  );
}

interface OneStoreProps {
  store: VectorStore;
  onClose: () => void;
  onDone: () => void;
}

export function RenameStore({ store, onClose, onDone }: OneStoreProps) {
  const { api } = useConsole();
  const [name, setName] = useState(store.name);
  const act = async () => {
    await api.send("POST", `vector_stores/${store.id}`, { name });
    onDone();
  };
  return (
    <Dialog title={WORDS.store.rename} onClose={onClose}>
      <ActionForm submit={WORDS.store.rename} isReady={name.trim() !== ""} onClose={onClose} act={act}>
        <Field label={WORDS.store.name}>
          <input value={name} maxLength={256} onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
      </ActionForm>
    </Dialog>
  );
}

/** Nothing brings a store back: its name is typed. */
export function RemoveStore({ store, onClose, onDone }: OneStoreProps) {
  const { api } = useConsole();
  const [typed, setTyped] = useState("");
  // As it is shown: what cannot be seen cannot be typed.
  const name = visible(store.name === "" ? store.id : store.name);
  const act = async () => {
    await api.send("DELETE", `vector_stores/${store.id}`);
    onDone();
  };
  const words = WORDS.store;
  return (
    <Dialog title={words.removeTitle(name)} onClose={onClose}>
      <ActionForm submit={words.remove} isDangerous isReady={typed.trim() === name.trim()} onClose={onClose} act={act}>
        <p>{words.removeHelp(store.file_counts.total, store.index?.chunks ?? 0)}</p>
        <Field label={words.typeName(name)}>
          <input value={typed} autoComplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
        </Field>
      </ActionForm>
    </Dialog>
  );
}
