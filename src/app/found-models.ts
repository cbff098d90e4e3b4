import type { ChatSource } from "../chat/chat-models.ts";
import type { FoundModel } from "../models/found-model.ts";
import type { Engine } from "./engine.ts";

export interface ModelFinder {
  /** What was found when models were last looked for; chat models last. */
  found(): FoundModel[];
  /** Looks again. */
  rescan(): Promise<FoundModel[]>;
}

/** Models of every kind, with what is wrong with those that cannot be used. */
export function modelFinder({ models, chat }: Pick<Engine, "models" | "chat">): ModelFinder {
  return {
    found: () => [...models.found(), ...chat.models.found().map(foundChat)],
    async rescan() {
      const chatFound = chat.models.rescan().map(foundChat);
      return [...(await models.rescan()), ...chatFound];
    },
  };
}

function foundChat(source: ChatSource): FoundModel {
  return {
    id: source.ok ? source.model.id : source.id,
    location: "remote",
    unrelated: null,
    problems: source.ok ? [] : [source.problem],
    address: source.ok ? source.model.address : null,
    removable: source.ok && source.removable,
  };
}
