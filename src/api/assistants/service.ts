import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { RerankDeps } from "../../search/rerank.ts";
import type { AssistantRow, KeptAssistant } from "../../storage/assistants.ts";
import type { Storage } from "../../storage/storage.ts";
import { presenterFor } from "../presenters/choose.ts";
import { type Asker, listedKey, mayKnow, notFound } from "./access.ts";
import { checkLength } from "./body.ts";
import { mergedResources, planResources, type ResourceDeps } from "./resources.ts";
import {
  type Assistant,
  type CreateAssistantBody,
  MAX_DESCRIPTION,
  MAX_NAME,
  type ModifyAssistantBody,
} from "./schema.ts";
import { keptTools, type ToolRules } from "./tools.ts";
import { MAX_CHARACTERS, type ResponseFormat } from "./tools-schema.ts";

export interface AssistantsDeps extends ResourceDeps {
  storage: Pick<Storage, "assistants" | "transaction">;
  clock: Clock;
  cursors: Cursors;
  rankers: RerankDeps["rankers"];
}

/** Assistants: what a run answers as. Deleting one leaves its stores, and the threads and runs that it had. */
export interface AssistantsService {
  create(asker: Asker, body: CreateAssistantBody): Promise<Assistant>;
  list(asker: Asker, cursor: Cursor): Promise<{ data: Assistant[]; hasMore: boolean }>;
  get(asker: Asker, id: string): Promise<Assistant>;
  modify(asker: Asker, id: string, body: ModifyAssistantBody): Promise<Assistant>;
  remove(asker: Asker, id: string): Promise<void>;
}

export function assistantsService(deps: AssistantsDeps): AssistantsService {
  return new Assistants(deps);
}

class Assistants implements AssistantsService {
  readonly #deps: AssistantsDeps;

  constructor(deps: AssistantsDeps) {
    this.#deps = deps;
  }

  async create(asker: Asker, body: CreateAssistantBody): Promise<Assistant> {
    const { storage, clock } = this.#deps;
    const { caller } = asker;
    const { tool_resources: given, ...rest } = body;
    checkTexts(body);
    const changes = this.#changes(asker, rest);
    const resources = await this.#plan(asker, given ?? {});
    const row = await storage.transaction(async (tables, tx) =>
      tables.assistants.insert({
        id: newId("asst_"),
        tenant_id: caller.tenantId,
        key_id: caller.keyId,
        created_at: clock.nowSeconds(),
        definition: {
          ...NEW,
          ...changes,
          model: body.model,
          tool_resources: mergedResources({}, await resources({ tables, tx })),
        },
      }),
    );
    return showAssistant(row);
  }

  async list({ caller }: Asker, cursor: Cursor): Promise<{ data: Assistant[]; hasMore: boolean }> {
    const { storage, cursors } = this.#deps;
    const { tenantId } = caller;
    const find = async (id: string) => {
      const row = await storage.assistants.get(tenantId, id);
      return row === null ? cursors.find(tenantId, id) : mayKnow(caller, row) ? row.seq : undefined;
    };
    const page = await pageQuery(cursor, find, "assistant");
    const { rows, hasMore } = await storage.assistants.list(tenantId, listedKey(caller), page);
    cursors.remember(tenantId, rows);
    return { data: rows.map(showAssistant), hasMore };
  }

  async get({ caller }: Asker, id: string): Promise<Assistant> {
    return showAssistant(await knownAssistant(this.#deps.storage, caller, id));
  }

  async modify(asker: Asker, id: string, body: ModifyAssistantBody): Promise<Assistant> {
    const { storage } = this.#deps;
    const { caller } = asker;
    const { tool_resources: given, ...rest } = body;
    await knownAssistant(storage, caller, id);
    checkTexts(body);
    const changes = this.#changes(asker, rest);
    const resources = await this.#plan(asker, given ?? {});
    const row = await storage.transaction(async (tables, tx) => {
      const now = await knownAssistant(tables, caller, id);
      const before = given === null ? {} : now.definition.tool_resources;
      const merged = mergedResources(before, await resources({ tables, tx }));
      const definition = { ...now.definition, ...changes, tool_resources: merged };
      await tables.assistants.update(caller.tenantId, id, definition);
      return { ...now, definition };
    });
    return showAssistant(row);
  }

  async remove({ caller }: Asker, id: string): Promise<void> {
    await knownAssistant(this.#deps.storage, caller, id);
    await this.#deps.storage.assistants.remove(caller.tenantId, id);
  }

  #plan(asker: Asker, given: NonNullable<CreateAssistantBody["tool_resources"]>) {
    return planResources(this.#deps, asker, given, { param: "tool_resources", expiresDays: null });
  }

  #changes({ dialect }: Asker, body: Omit<ModifyAssistantBody, "tool_resources">): Partial<KeptAssistant> {
    const { rankers } = this.#deps;
    return changesOf(body, { rules: presenterFor(dialect).rules, rankers });
  }
}

/** Throws a 404 for one that the caller may not know of, too. */
export async function knownAssistant(
  { assistants }: Pick<Storage, "assistants">,
  caller: Asker["caller"],
  id: string,
): Promise<AssistantRow> {
  const row = await assistants.get(caller.tenantId, id);
  if (row === null || !mayKnow(caller, row)) throw notFound("assistant_not_found", id);
  return row;
}

const NEW: Omit<KeptAssistant, "model"> = {
  name: null,
  description: null,
  instructions: null,
  tools: [],
  top_p: 1,
  temperature: 1,
  reasoning_effort: null,
  tool_resources: {},
  metadata: {},
  response_format: "auto",
};

/** Only what is given; null is the default. */
function changesOf(body: Omit<ModifyAssistantBody, "tool_resources">, rules: ToolRules): Partial<KeptAssistant> {
  const { tools, ...plain } = body;
  const given = Object.entries(plain).filter(([, value]) => value !== undefined);
  const filled = given.map(([name, value]) => [name, value ?? NEW[name as keyof typeof NEW]] as const);
  return {
    ...(Object.fromEntries(filled) as Partial<KeptAssistant>),
    ...(tools === undefined ? {} : { tools: keptTools(tools ?? [], rules) }),
  };
}

function checkTexts({ name, description, instructions }: ModifyAssistantBody): void {
  checkLength(name, MAX_NAME, "name");
  checkLength(description, MAX_DESCRIPTION, "description");
  checkLength(instructions, MAX_CHARACTERS, "instructions");
}

function showAssistant({ id, created_at, definition }: AssistantRow): Assistant {
  return {
    id,
    object: "assistant",
    created_at,
    name: definition.name,
    description: definition.description,
    model: definition.model,
    instructions: definition.instructions,
    tools: definition.tools,
    top_p: definition.top_p,
    temperature: definition.temperature,
    reasoning_effort: definition.reasoning_effort,
    tool_resources: definition.tool_resources,
    metadata: definition.metadata,
    // Read from a body that was valid.
    response_format: definition.response_format as ResponseFormat,
  };
}
