import { useState } from "preact/hooks";
import type { NewApiKey } from "../../api/admin/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { type Recipe, recipes } from "../connect-recipes.ts";
import { OPERATE } from "../operate-words.ts";
import { Choice, CopyButton } from "../parts/fields.tsx";
import { Failure, Load } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery, useRoute } from "../state/use-route.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.connect;
const STORES = "vector_stores?limit=100";

/** What is pasted into other programs, with this server's address and a key of the least role. */
export function ConnectPage() {
  const { api, me } = useConsole();
  const route = useRoute();
  const [made, setMade] = useState<{ key: string; store: string; program: string } | null>(null);
  const stores = useLoad(STORES, (signal) => api.get<{ data: VectorStore[] }>(STORES, signal));
  const store = route.query["store"] ?? "";
  const wanted = route.query["for"] ?? "";
  // A key for one store, or of one program, is not shown as another's.
  const key = made !== null && made.store === store && made.program === wanted ? made.key : null;
  const all = recipes({
    address: addressOfServer(api.base, me.features.public_url),
    key: key ?? WORD.keyPlaceholder,
    store: store === "" ? WORD.storePlaceholder : store,
    model: me.features.default_model,
  });
  const recipe = all.find(({ id }) => id === wanted) ?? null;
  return (
    <>
      <h1>{WORD.title}</h1>
      <p>{WORD.help}</p>
      <div class="row fields">
        <Choice
          label={WORD.program}
          value={recipe?.id ?? ""}
          options={[["", WORD.noProgram], ...all.map(({ id, title }) => [id, title] as const)]}
          onChange={(id) => setQuery(route, { for: id })}
        />
        <Load of={stores}>
          {({ data }) => (
            <Choice
              label={WORD.store}
              value={store}
              options={[["", WORD.allStores], ...data.map(({ id, name }) => [id, visible(name || id)] as const)]}
              onChange={(id) => setQuery(route, { store: id })}
            />
          )}
        </Load>
      </div>
      {recipe !== null && (
        <>
          <KeyFor
            recipe={recipe}
            store={store}
            isMade={key !== null}
            onMade={(fresh) => setMade({ key: fresh, store, program: recipe.id })}
          />
          <Shown recipe={recipe} />
        </>
      )}
    </>
  );
}

/** As others reach it: what the operator set, else where this page came from. */
function addressOfServer(base: string, publicUrl: string | null): string {
  return (publicUrl ?? base.replace(/\/v1\/$/, "")).replace(/\/+$/, "");
}

interface KeyForProps {
  recipe: Recipe;
  store: string;
  isMade: boolean;
  onMade: (key: string) => void;
}

function KeyFor({ recipe, store, isMade, onMade }: KeyForProps) {
  const { api, me } = useConsole();
  const [isMaking, setMaking] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  if (me.role !== "admin") return <p class="quiet">{WORD.askForKey}</p>;
  if (isMade) return <p class="banner">{WORD.madeHelp}</p>;
  const make = async () => {
    setMaking(true);
    setError(null);
    try {
      // All of these search: more than reading would be too much.
      const body = { name: recipe.title, role: "read", ...(store === "" ? {} : { vector_store_ids: [store] }) };
      onMade((await api.send<NewApiKey>("POST", "admin/keys", body)).key);
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setMaking(false);
  };
  return (
    <div class="stack">
      <div class="row">
        <button type="button" class="primary" disabled={isMaking} onClick={() => void make()}>
          {WORD.makeKey}
        </button>
        <span class="quiet">{store === "" ? WORD.keyForAll : WORD.keyForOne}</span>
      </div>
      {error !== null && <Failure error={error} />}
    </div>
  );
}

function Shown({ recipe }: { recipe: Recipe }) {
  return (
    <section class="stack" aria-labelledby="recipe">
      <h2 id="recipe">{recipe.title}</h2>
      <p>{WORD.where[recipe.id]}</p>
      {recipe.blocks.map(({ name, text }) => (
        <div class="stack" key={name}>
          <div class="row spread">
            <h3>{name}</h3>
            <CopyButton text={() => text} label={WORD.copyOne(name)} />
          </div>
          <pre class="code" tabIndex={0}>
            {visible(text, { keepLines: true })}
          </pre>
        </div>
      ))}
    </section>
  );
}
