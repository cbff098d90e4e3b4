import { adminOperations } from "../admin/routes.ts";
import { assistantOperations } from "../assistants/routes.ts";
import { attributeOperations } from "../attributes/routes.ts";
import { completionOperations } from "../chat-completions/routes.ts";
import { chunkOperations } from "../chunks/routes.ts";
import { conversationOperations } from "../responses/conversations/routes.ts";
import { consoleOperations } from "../console/routes.ts";
import { difyOperations } from "../dify/routes.ts";
import { cohereOperations } from "../embeddings/cohere/routes.ts";
import { ollamaOperations } from "../embeddings/ollama/routes.ts";
import { embeddingOperations } from "../embeddings/routes.ts";
import { teiOperations } from "../embeddings/tei/routes.ts";
import { evaluationOperations } from "../evals/routes.ts";
import { eventOperations } from "../events/routes.ts";
import { batchOperations } from "../file-batches/routes.ts";
import { fileOperations } from "../files/routes.ts";
import { healthOperations } from "../health/routes.ts";
import { judgmentOperations } from "../judgments/routes.ts";
import { licenceOperations } from "../licences/routes.ts";
import { messageOperations } from "../assistants/messages/routes.ts";
import { meOperations } from "../me/routes.ts";
import { migrationOperations } from "../migrations/routes.ts";
import { modelOperations } from "../models/routes.ts";
import { formLimit } from "../../http/body-limit.ts";
import { mcpOperations } from "../../mcp/operations.ts";
import type { Operation } from "../../http/operation.ts";
import { librechatOperations } from "../librechat/routes.ts";
import { loaderOperations } from "../openwebui/routes.ts";
import { rerankOperations } from "../rerank/routes.ts";
import { responseOperations } from "../responses/routes.ts";
import { runOperations } from "../assistants/runs/routes.ts";
import { stepOperations } from "../assistants/runs/step-routes.ts";
import { queryOperations } from "../queries/routes.ts";
import { searchOperations } from "../search/routes.ts";
import { statsOperations } from "../stats/routes.ts";
import { threadOperations } from "../assistants/threads/routes.ts";
import { uploadOperations } from "../uploads/routes.ts";
import { storeFileOperations } from "../vector-store-files/routes.ts";
import { storeOperations } from "../vector-stores/routes.ts";

/** Every operation without a service behind it: for tests of what the specifications say, which call no handler. */
export function allOperations(): Operation[] {
  const none = {} as never;
  return [
    ...healthOperations(none),
    ...fileOperations(none, 1),
    ...uploadOperations(none, none),
    ...storeOperations(none, none),
    ...storeFileOperations(none, none),
    ...batchOperations(none, none, 2000),
    ...searchOperations(none),
    ...difyOperations(none),
    ...librechatOperations({ limit: formLimit(1) } as never),
    ...loaderOperations(none, { kind: "bytes", bytes: 1 }),
    ...embeddingOperations(none),
    ...teiOperations(none, none),
    ...cohereOperations(none),
    ...ollamaOperations(none, none),
    ...responseOperations(none),
    ...assistantOperations(none),
    ...threadOperations(none),
    ...messageOperations(none),
    ...runOperations(none),
    ...stepOperations(none),
    ...conversationOperations(none),
    ...completionOperations(none),
    ...modelOperations(none, none),
    ...rerankOperations(none),
    ...chunkOperations(none, none),
    ...eventOperations(none, none),
    ...migrationOperations(none),
    ...queryOperations(none),
    ...statsOperations(none),
    ...attributeOperations(none),
    ...judgmentOperations(none),
    ...evaluationOperations(none),
    ...adminOperations(none),
    ...meOperations(none),
    ...licenceOperations(),
    ...consoleOperations(none),
    ...mcpOperations(none),
  ];
}
