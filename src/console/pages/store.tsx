import { useEffect } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { Load } from "../parts/load.tsx";
import { Name, State, stateKind } from "../parts/text.tsx";
import { addressOf, type Page, type Route } from "../route.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { AnswersPage } from "./answers.tsx";
import { DocumentPage } from "./document.tsx";
import { FilesPage } from "./files.tsx";
import { ModelPage } from "./model.tsx";
import { PlaygroundPage } from "./playground.tsx";
import { QualityPage } from "./quality.tsx";
import { QueriesPage } from "./queries.tsx";
import { storeState } from "./store-table.tsx";

const TABS: readonly Page[] = ["files", "playground", "answers", "quality", "queries", "model"];

/** One store: its name, its state, and the page that the address names. */
export function StorePage({ route }: { route: Route }) {
  const { api } = useConsole();
  const path = `vector_stores/${encodeURIComponent(route.store)}`;
  const store = useLoad(path, (signal) => api.get<VectorStore>(path, signal));
  const name = store.data === null ? "" : store.data.name || store.data.id;
  useEffect(() => {
    document.title = name === "" ? WORDS.product : `${visible(name)} – ${WORDS.product}`;
    return () => (document.title = WORDS.product);
  }, [name]);
  return (
    <Load of={store}>
      {(loaded) => {
        const state = storeState(loaded);
        return (
          <>
            <div class="row spread">
              <h1>
                <Name of={name} />
              </h1>
              <State kind={stateKind(state)} word={WORDS.store.states[state] ?? state} />
            </div>
            <nav class="tabs" aria-label={visible(name)}>
              {TABS.map((page) => (
                <a
                  key={page}
                  href={addressOf({ page, store: route.store })}
                  aria-current={route.page === page ? "page" : undefined}
                >
                  {WORDS.store.tabs[page]}
                </a>
              ))}
            </nav>
            <Inside route={route} store={loaded} onChange={store.reload} />
          </>
        );
      }}
    </Load>
  );
}

function Inside({ route, store, onChange }: { route: Route; store: VectorStore; onChange: () => void }) {
  if (route.page === "document") return <DocumentPage route={route} key={route.file} />;
  if (route.page === "playground") return <PlaygroundPage route={route} />;
  if (route.page === "answers") return <AnswersPage route={route} />;
  if (route.page === "quality") return <QualityPage route={route} />;
  if (route.page === "queries") return <QueriesPage route={route} />;
  if (route.page === "model") return <ModelPage route={route} store={store} onChange={onChange} />;
  return <FilesPage route={route} counts={store.file_counts} />;
}
