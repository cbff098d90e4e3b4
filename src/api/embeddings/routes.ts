import { AppError } from "../../errors.ts";
import type { Operation } from "../../http/operation.ts";
import { HUGE_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { shown } from "../../platform/words.ts";
import { DeploymentEmbeddingsBody, EmbeddingsAnswer, EmbeddingsBody } from "./schema.ts";
import { EMBEDDING_ERRORS, type EmbeddingsService } from "./service.ts";

/** Options of other servers that change nothing here, or only how they would have gone about it. */
const FOREIGN = [
  "truncate",
  "truncation",
  "truncate_prompt_tokens",
  "add_special_tokens",
  "late_chunking",
  "normalized",
  "embedding_type",
  "priority",
  "extra_body",
];

export function embeddingOperations(embeddings: EmbeddingsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/embeddings",
        operationId: "createEmbedding",
        summary: "Embed text",
        description: "A text longer than the model's window is embedded window by window and averaged.",
        tag: "Embeddings",
        role: "read",
        body: EmbeddingsBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: EmbeddingsAnswer,
        returns: "One embedding for each input, in order",
        errors: ["model_not_found", ...EMBEDDING_ERRORS],
        examples: {
          body: { model: "text-embedding-3-small", input: "The food was delicious and the waiter friendly." },
        },
      },
      ({ body, caller: { tenantId: tenant }, signal }) => embeddings.create(body, { tenant, signal }),
    ),
    operation(
      {
        method: "POST",
        path: "/openai/deployments/{deployment}/embeddings",
        operationId: "createDeploymentEmbedding",
        summary: "Embed text, as Azure's clients ask for it",
        description:
          "The deployment is the model's name, or another name that the operator gave it (`--alias NAME=MODEL`). `api-version` is not looked at.",
        tag: "Embeddings",
        role: "read",
        body: DeploymentEmbeddingsBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: EmbeddingsAnswer,
        returns: "One embedding for each input, in order",
        errors: ["DeploymentNotFound", ...EMBEDDING_ERRORS],
        examples: { body: { input: "The food was delicious and the waiter friendly." } },
      },
      async ({ params, body, caller: { tenantId: tenant }, signal }) => {
        try {
          return await embeddings.create({ ...body, model: params.deployment }, { tenant, signal });
        } catch (error) {
          throw error instanceof AppError && error.code === "model_not_found" ? noDeployment(params.deployment) : error;
        }
      },
    ),
  ];
}

function noDeployment(name: string): AppError {
  const at = shown(name);
  const text = `The API deployment for this resource does not exist: no model is called '${at}'. Ask for a model of GET /v1/models, or start the server with --alias ${at}=MODEL.`;
  return new AppError("DeploymentNotFound", text);
}
