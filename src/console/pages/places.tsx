import type { Me } from "../../api/me/schema.ts";
import { type Place, PLACES } from "../route.ts";
import { ConnectPage } from "./connect.tsx";
import { HealthPage } from "./health.tsx";
import { KeysPage } from "./keys.tsx";
import { ModelsPage } from "./models.tsx";

/** What is shown at the addresses that are no store's. */
export const PLACE_PAGES: Readonly<Record<Place, () => preact.JSX.Element>> = {
  keys: KeysPage,
  models: ModelsPage,
  health: HealthPage,
  connect: ConnectPage,
};

/** The pages that a key is shown: what it may not do is hidden. */
export function placesFor({ role, operator }: Pick<Me, "role" | "operator">): Place[] {
  const isFor: Readonly<Record<Place, boolean>> = {
    keys: role === "admin",
    models: operator,
    health: operator,
    connect: true,
  };
  return PLACES.filter((place) => isFor[place]);
}
