import { useState } from "preact/hooks";
import type { InstalledModel } from "../../api/models/schema.ts";
import type { Api } from "../api.ts";
import { OPERATE } from "../operate-words.ts";
import { Failure } from "../parts/load.tsx";
import { Name, State } from "../parts/text.tsx";
import { TypedConfirm } from "../parts/typed-confirm.tsx";
import { useConsole } from "../state/console.ts";
import { numberText } from "../text/format.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.models;
/** More names than these are folded away. */
const FEW_NAMES = 2;

export function ModelTable({ models, onChange }: { models: readonly InstalledModel[]; onChange: () => void }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{WORD.name}</th>
          <th scope="col">{WORD.kind}</th>
          <th scope="col">{WORD.runs}</th>
          <th scope="col">{WORD.dimensions}</th>
          <th scope="col">{WORD.window}</th>
          <th scope="col">{WORD.stores}</th>
          <th scope="col">{WORD.state}</th>
          <th scope="col">{WORD.actions}</th>
        </tr>
      </thead>
      <tbody>
        {models.map((model) => (
          <Row key={model.id} model={model} onChange={onChange} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ model, onChange }: { model: InstalledModel; onChange: () => void }) {
  const { me } = useConsole();
  const { id, kind, location, address, dimensions, max_tokens: window } = model;
  return (
    <tr>
      <th scope="row" data-label={WORD.name}>
        <Name of={id} />
        {id === me.features.default_model && <span class="badge">{WORD.isDefault}</span>}
        <Aliases names={model.aliases} />
      </th>
      <td data-label={WORD.kind}>{kind === null ? WORD.unknownKind : (WORD.kinds[kind] ?? kind)}</td>
      <td data-label={WORD.runs}>
        {address === null ? (WORD.locations[location ?? ""] ?? "–") : <Name of={address} />}
      </td>
      <td data-label={WORD.dimensions}>{dimensions === null ? "–" : numberText(dimensions)}</td>
      <td data-label={WORD.window}>{window === null ? "–" : WORD.tokens(numberText(window))}</td>
      <td data-label={WORD.stores}>{numberText(model.vector_stores)}</td>
      <td data-label={WORD.state}>
        <ModelState model={model} />
      </td>
      <td data-label={WORD.actions}>
        <Actions model={model} onChange={onChange} />
      </td>
    </tr>
  );
}

function Aliases({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  if (names.length <= FEW_NAMES)
    return <div class="quiet">{WORD.aliases(names.map((name) => visible(name)).join(", "))}</div>;
  return (
    <details class="quiet">
      <summary>{WORD.manyAliases(names.length)}</summary>
      <ul class="plain">
        {names.map((name) => (
          <li key={name}>
            <Name of={name} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function ModelState({ model: { usable, problems } }: { model: InstalledModel }) {
  if (usable) return <State kind="good" word={WORD.usable} />;
  return (
    <>
      <State kind="bad" word={WORD.broken} />
      <ul class="plain bad">
        {problems.map((problem) => (
          <li key={problem}>{visible(problem)}</li>
        ))}
      </ul>
    </>
  );
}

function Actions({ model, onChange }: { model: InstalledModel; onChange: () => void }) {
  const { api } = useConsole();
  const [isRemoving, setRemoving] = useState(false);
  const [said, setSaid] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const verify = async () => {
    setSaid(WORD.verifying);
    setError(null);
    try {
      const startedAt = performance.now();
      const what = await probe(api, model);
      setSaid(WORD.verified(what, numberText(Math.round(performance.now() - startedAt))));
    } catch (thrown) {
      setSaid("");
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  const remove = async () => {
    await api.send("DELETE", `models/${encodeURIComponent(model.id)}`);
    setRemoving(false);
    onChange();
  };
  return (
    <>
      <div class="actions">
        {mayVerify(model) && (
          <button type="button" disabled={said === WORD.verifying} onClick={() => void verify()}>
            {WORD.verify}
          </button>
        )}
        {model.removable && model.vector_stores === 0 && (
          <button type="button" onClick={() => setRemoving(true)}>
            {WORD.remove}
          </button>
        )}
      </div>
      {said !== "" && (
        <p class="quiet" role="status">
          {said}
        </p>
      )}
      {error !== null && <Failure error={error} />}
      {isRemoving && (
        <TypedConfirm
          title={WORD.removeTitle(visible(model.id))}
          help={model.address === null ? WORD.removeFolder : WORD.removeRemote}
          name={model.id}
          submit={WORD.remove}
          onClose={() => setRemoving(false)}
          act={remove}
        />
      )}
    </>
  );
}

/** What quotes without a language model has nothing that could fail. */
function mayVerify({ usable, kind, location }: InstalledModel): boolean {
  return usable && kind !== null && !(kind === "chat" && location === "bundled");
}

/** Asks the model for what it is there for, and says what came. */
async function probe(api: Api, { id, kind }: InstalledModel): Promise<string> {
  if (kind === "chat") {
    const messages = [{ role: "user", content: "Say yes." }];
    await api.send("POST", "chat/completions", { model: id, messages, max_tokens: 16 });
    return WORD.answer;
  }
  if (kind === "reranker") {
    await api.send("POST", "rerank", { model: id, query: "A", documents: ["A probe."] });
    return WORD.score;
  }
  const asked = { model: id, input: "A probe." };
  const { data } = await api.send<{ data: { embedding: number[] }[] }>("POST", "embeddings", asked);
  return WORD.vector(data[0]?.embedding.length ?? 0);
}
