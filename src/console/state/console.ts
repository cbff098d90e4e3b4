import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "../../api/me/schema.ts";
import type { Api } from "../api.ts";
import type { Uploads } from "../upload/uploads.ts";

/** What every page of somebody who is signed in has. */
export interface Console {
  api: Api;
  me: Me;
  uploads: Uploads;
}

export const ConsoleContext = createContext<Console | null>(null);

export function useConsole(): Console {
  const console = useContext(ConsoleContext);
  if (console === null) throw new Error("a page is shown to nobody");
  return console;
}

/** Whether the key may change anything. */
export function mayWrite({ me }: Console): boolean {
  return me.role !== "read";
}
