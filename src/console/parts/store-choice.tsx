import type { VectorStore } from "../../api/store-schema.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { Failure, Skeleton } from "./load.tsx";
import { Name } from "./text.tsx";

export interface StoreChoiceProps {
  legend: string;
  /** What stands there where no store is offered. */
  none?: string;
  chosen: readonly string[];
  /** A store that is not offered: it is chosen anyway. */
  without?: string;
  /** So many at most. */
  most?: number;
  onChange: (stores: string[]) => void;
}

/** Stores to tick, the newest hundred. */
export function StoreChoice({ legend, none, chosen, without, most = Infinity, onChange }: StoreChoiceProps) {
  const { api } = useConsole();
  const path = "vector_stores?limit=100";
  const stores = useLoad(path, (signal) => api.get<{ data: VectorStore[] }>(path, signal));
  if (stores.data === null) return stores.error === null ? <Skeleton /> : <Failure error={stores.error} />;
  const offered = stores.data.data.filter(({ id }) => id !== without);
  const toggle = (id: string, isChosen: boolean) =>
    onChange(isChosen ? [...chosen, id] : chosen.filter((one) => one !== id));
  if (offered.length === 0) return none === undefined ? null : <p class="quiet">{none}</p>;
  return (
    <fieldset class="choices">
      <legend>{legend}</legend>
      {offered.map(({ id, name }) => (
        <label class="check" key={id}>
          <input
            type="checkbox"
            checked={chosen.includes(id)}
            disabled={!chosen.includes(id) && chosen.length >= most}
            onChange={(event) => toggle(id, event.currentTarget.checked)}
          />
          <Name of={name === "" ? id : name} />
        </label>
      ))}
    </fieldset>
  );
}
