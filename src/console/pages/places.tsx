import type { Me } from "../../api/me/schema.ts";
import type { Place } from "../route.ts";
import { KeysPage } from "./keys.tsx";

/** What is shown at the addresses that are no store's. */
export const PLACE_PAGES: Readonly<Record<Place, () => preact.JSX.Element>> = {
  keys: KeysPage,
};

/** The pages that a key is shown: what it may not do is hidden. */
export function placesFor({ role }: Pick<Me, "role">): Place[] {
  return role === "admin" ? ["keys"] : [];
}
