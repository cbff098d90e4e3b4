import type { StoreFilesService } from "../api/vector-store-files/service.ts";
import type { SearchService } from "../api/search/service.ts";
import type { VectorStore } from "../api/store-schema.ts";
import { MEDIUM_BODY } from "../http/body-limit.ts";
import { type Call, type Operation, operation, type OperationSpec } from "../http/operation.ts";
import { storeNotFound } from "../search/store-state.ts";
import { type LinkSettings, linksFor } from "./links.ts";
import { type OwnAddresses, refuseForeign } from "./origin.ts";
import { exchange } from "./protocol.ts";
import { fetchTool, fileTools } from "./reading.ts";
import { MCP_REFUSAL, McpAnswer, McpMessage } from "./schema.ts";
import { searchTools } from "./searching.ts";
import { findStore, type Stores, storeTools } from "./stores.ts";
import { ToolError } from "./tool.ts";
import { Toolset } from "./toolset.ts";

export interface McpDeps {
  stores: Stores;
  /** Files as they are in a store. */
  attached: Pick<StoreFilesService, "list" | "get" | "part">;
  search: SearchService;
  settings: OwnAddresses & LinkSettings;
}

/** What both addresses have in common. */
const BOTH = {
  method: "POST",
  tag: "Other programs",
  role: "read",
  // Each tool asks for itself whether its store is open.
  whileSuspended: true,
  onlyMethod: true,
  body: McpMessage,
  readsBody: true,
  bodyLimit: MEDIUM_BODY,
  response: McpAnswer,
  refusal: MCP_REFUSAL,
  returns: "The answer to the message; 202 without a body to a notification",
  examples: { body: { jsonrpc: "2.0", id: 1, method: "tools/list" } },
} as const satisfies Partial<OperationSpec>;

const DESCRIPTION =
  "JSON-RPC messages of MCP's Streamable HTTP transport, revisions 2025-03-26 to 2026-07-28, without sessions. " +
  "What a tool cannot do is a result with `isError`.";

/** The Model Context Protocol: tools that search and read, over the services of the API and with its keys. */
export function mcpOperations(deps: McpDeps): Operation[] {
  const open = toolsetOf(deps, false);
  const pinned = toolsetOf(deps, true);
  return [
    operation(
      {
        ...BOTH,
        path: "/mcp",
        operationId: "mcp",
        summary: "Model Context Protocol, for all stores of the key",
        description: DESCRIPTION,
      },
      (call) => answer(deps, call, { toolset: open, store: null }),
    ),
    operation(
      {
        ...BOTH,
        path: "/mcp/{store}",
        operationId: "mcpOfStore",
        summary: "Model Context Protocol, for one store",
        description: `${DESCRIPTION} The store is named by its id or its name.`,
        errors: ["vector_store_not_found"],
      },
      async (call) => {
        refuseForeign(call.request.headers, deps.settings);
        const store = await pinnedStore(deps.stores, call);
        return await answer(deps, call, { toolset: pinned, store });
      },
    ),
  ];
}

function toolsetOf(deps: McpDeps, isPinned: boolean): Toolset {
  const [search, ...others] = searchTools(deps, isPinned);
  const ofStores = isPinned ? [] : storeTools(deps.stores);
  const tools = [search, fetchTool(deps), ...ofStores, ...others, ...fileTools(deps, isPinned)];
  return new Toolset(tools.filter((tool) => tool !== undefined));
}

async function pinnedStore(stores: Stores, { caller, params }: Call<{ store: string }>): Promise<VectorStore> {
  const store = await findStore(stores, caller, params.store).catch((error: unknown) => {
    // Several of that name: which one is meant cannot be told.
    if (error instanceof ToolError) return null;
    throw error;
  });
  if (store === null) throw storeNotFound(params.store.slice(0, MAX_SHOWN));
  return store;
}

/** As much of an unknown name as an answer repeats. */
const MAX_SHOWN = 256;

async function answer(
  { settings }: McpDeps,
  { caller, body, request, signal }: Call,
  { toolset, store }: { toolset: Toolset; store: VectorStore | null },
): Promise<Response> {
  refuseForeign(request.headers, settings);
  const links = linksFor(settings, request.headers.get("host"));
  return await exchange({ message: body, request, toolset, call: { caller, store, links, signal } });
}
