import { EXTRACTIVE_MODEL } from "../../answers/limits.ts";
import { AppError } from "../../errors.ts";
import type { ChatModel, ChatModels } from "../../chat/chat-models.ts";
import type { Storage } from "../../storage/storage.ts";
import type { KnownModel, ModelCatalog } from "../../models/model-catalog.ts";
import type { FoundModel } from "../../models/found-model.ts";
import { installedModels } from "./installed.ts";
import type { InstalledModel, Model, ModelScan } from "./schema.ts";

/** The models that clients can name. */
export interface ModelsService {
  list(): Model[];
  /** @throws AppError `model_not_found` */
  get(name: string): Model;
  /** With what an operator wants to know of each. */
  installed(): Promise<InstalledModel[]>;
  rescan(): Promise<ModelScan>;
  /** Only a model added to the data directory, and only while no store needs it. */
  remove(name: string): Promise<{ id: string; object: "model"; deleted: true }>;
}

export interface ModelsDeps extends Pick<Storage, "generations"> {
  models: ModelCatalog;
  chat: Pick<ChatModels, "list" | "get" | "remove">;
  /** What was found when models were last looked for. */
  found: () => FoundModel[];
  /** Looks for models again; those without problems can be used. */
  rescan: () => Promise<FoundModel[]>;
  /** Other servers of the database, with the embedding models that they say they have. */
  others: () => readonly { name: string; models: readonly string[] }[];
}

export function modelsService({ models, chat, generations, found, rescan, others }: ModelsDeps): ModelsService {
  function find(name: string): KnownModel {
    const known = models.get(name);
    if (known === null) {
      throw new AppError("model_not_found", `The model '${name}' does not exist or you do not have access to it.`, {
        param: "model",
      });
    }
    return known;
  }

  /** Who says what it has, and does not say this. */
  function missingAt(id: string): { missing_at?: string[] } {
    const telling = others().filter((other) => other.models.length > 0);
    if (telling.length === 0 || models.get(id)?.type !== "embedding") return {};
    return { missing_at: telling.filter((other) => !other.models.includes(id)).map(({ name }) => name) };
  }

  const list = () => [
    ...models.list().map(show),
    ...chat.list().map((one) => showChat(one, models)),
    extractive(models),
  ];
  return {
    list,
    get(name) {
      const one = chat.get(name);
      if (one !== null) return showChat(one, models);
      return name === EXTRACTIVE_MODEL ? extractive(models) : show(find(name));
    },
    installed: async () => installedModels({ list: list(), found: found(), inUse: await generations.modelsInUse() }),
    async rescan() {
      const all = await rescan();
      return {
        object: "model.scan",
        models: all.map(({ id, location, unrelated, problems }) => {
          const usable = problems.length === 0;
          return { id, location, usable, unrelated_cosine: unrelated, problems: [...problems], ...missingAt(id) };
        }),
      };
    },
    async remove(name) {
      if (name === EXTRACTIVE_MODEL)
        throw new AppError("model_not_deletable", `The model '${name}' cannot be deleted: it is part of the server.`);
      if (chat.remove(name)) return { id: name, object: "model", deleted: true };
      if (chat.get(name) !== null)
        throw new AppError(
          "model_not_deletable",
          `The model '${name}' cannot be deleted: it is part of the server's settings.`,
        );
      // One that cannot be used now is not found, and can be taken away all the same.
      const known = models.get(name) ?? { model: name, location: null };
      const stores = (await generations.modelsInUse()).find((used) => used.model === known.model)?.stores ?? 0;
      const refuse = (reason: string) =>
        new AppError("model_not_deletable", `The model '${name}' cannot be deleted: ${reason}.`);
      const isOwn = known.location === "bundled" || known.location === "alias";
      if (isOwn) throw refuse("it is part of the server or of its settings");
      if (stores > 0) throw refuse(`${stores} vector ${stores === 1 ? "store needs" : "stores need"} it`);
      if (!models.remove(name)) {
        find(name);
        throw refuse("it is part of the server's settings");
      }
      return { id: name, object: "model", deleted: true };
    },
  };
}

function showChat({ id, model, contextTokens }: ChatModel, models: ModelCatalog): Model {
  return {
    ...extractive(models),
    id,
    owned_by: "organization-owner",
    max_tokens: contextTokens,
    location: "remote",
    resolves_to: model === id ? null : model,
  };
}

/** What answers without a language model: always there. */
function extractive(models: ModelCatalog): Model {
  return {
    id: EXTRACTIVE_MODEL,
    object: "model",
    created: models.list()[0]?.created ?? 0,
    owned_by: "lectern",
    type: "chat",
    kind: "chat",
    dimensions: null,
    max_tokens: null,
    location: "bundled",
    revision: null,
    resolves_to: null,
  };
}

function show(model: KnownModel): Model {
  return {
    id: model.name,
    object: "model",
    created: model.created,
    owned_by: model.ownedBy,
    type: model.type,
    kind: model.type,
    dimensions: model.dimensions,
    max_tokens: model.maxTokens,
    location: model.location,
    revision: model.revision,
    resolves_to: model.model === model.name ? null : model.model,
  };
}
