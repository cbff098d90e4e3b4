import { useLayoutEffect, useState } from "preact/hooks";
import { addressOf, parseRoute, type Route } from "../route.ts";

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  // At once: an address that changes meanwhile would be missed.
  useLayoutEffect(() => {
    const read = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", read);
    // The address may have changed since it was read, before anybody listened.
    read();
    return () => removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** Goes there; the way back leads here. */
export function goTo(route: Parameters<typeof addressOf>[0]): void {
  location.hash = addressOf(route);
}

/** Changes the query of the address without a step on the way back. */
export function setQuery(route: Route, changes: Record<string, string>): void {
  const next = addressOf({ ...route, query: { ...route.query, ...changes } });
  if (next === location.hash) return;
  history.replaceState(null, "", next);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
