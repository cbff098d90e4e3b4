import type { Me } from "../../api/me/schema.ts";
import { type Place, PLACES } from "../route.ts";
import { Later } from "../parts/load.tsx";

/** What is shown at the addresses that are no store's. */
export const PLACE_PAGES: Readonly<Record<Place, () => preact.JSX.Element>> = {
  keys: () => <Later name="keys" page={async () => (await import("./keys.tsx")).KeysPage} />,
  models: () => <Later name="models" page={async () => (await import("./models.tsx")).ModelsPage} />,
  health: () => <Later name="health" page={async () => (await import("./health.tsx")).HealthPage} />,
  connect: () => <Later name="connect" page={async () => (await import("./connect.tsx")).ConnectPage} />,
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
