import { useEffect, useRef } from "preact/hooks";
import { Name } from "./parts/text.tsx";
import { StoresPage } from "./pages/stores.tsx";
import { StorePage } from "./pages/store.tsx";
import { PLACE_PAGES, placesFor } from "./pages/places.tsx";
import { OPERATE } from "./operate-words.ts";
import { addressOf, PLACES } from "./route.ts";
import { useConsole } from "./state/console.ts";
import { setLiveRegion } from "./state/live.ts";
import { useRoute } from "./state/use-route.ts";
import { WORDS } from "./words.ts";

/** What stands around every page. */
export function Shell({ signOut }: { signOut: () => void }) {
  const { me } = useConsole();
  const route = useRoute();
  const places = placesFor(me);
  const main = useRef<HTMLElement>(null);
  const place = `${route.page} ${route.store} ${route.file}`;
  const isFirst = useRef(true);
  useEffect(() => {
    // A new page is read from its beginning.
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [place]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        {WORDS.skip}
      </a>
      <header class="top">
        <nav aria-label={WORDS.product}>
          <a class="brand" href={addressOf({ page: "stores" })}>
            {WORDS.product}
          </a>
          <a href={addressOf({ page: "stores" })} aria-current={route.page === "stores" ? "page" : undefined}>
            {WORDS.stores}
          </a>
          {places.map((place) => (
            <a key={place} href={addressOf({ page: place })} aria-current={route.page === place ? "page" : undefined}>
              {OPERATE.places[place]}
            </a>
          ))}
          <a href="../docs" target="_blank" rel="noopener noreferrer">
            {WORDS.explorer}
          </a>
        </nav>
        <div class="who">
          <Name of={WORDS.you(me.name === "" ? me.key_id : me.name, me.role)} />
          <button type="button" onClick={signOut}>
            {WORDS.signOut}
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <Page />
      </main>
      <div class="hidden" aria-live="polite" ref={setLiveRegion} />
    </>
  );
}

function Page() {
  const { me } = useConsole();
  const route = useRoute();
  const place = PLACES.find((one) => one === route.page);
  if (place !== undefined) {
    const Inside = PLACE_PAGES[place];
    return placesFor(me).includes(place) ? <Inside /> : <p class="failure">{WORDS.forbidden}</p>;
  }
  if (route.page === "stores") return <StoresPage route={route} />;
  if (route.page === "unknown") return <p class="failure">{WORDS.unknownPage}</p>;
  return <StorePage route={route} key={route.store} />;
}
