import { HUGE_BODY, NO_BODY } from "../../../http/body-limit.ts";
import { type Call, type Operation, operation, type RefusalShape } from "../../../http/operation.ts";
import type { ModelCatalog } from "../../../models/model-catalog.ts";
import { version } from "../../../platform/build-info.ts";
import { MAX_INPUT_TOKENS, MAX_INPUTS } from "../schema.ts";
import type { EmbeddingsService } from "../service.ts";
import { TeiBody, type TeiError as Refusal, TeiError, TeiInfo, TeiVectors } from "./schema.ts";

const REFUSAL: RefusalShape = {
  schema: TeiError,
  body: ({ message }, { status }): Refusal => ({ error: message, error_type: typeOf(status) }),
};

/** As that server calls what went wrong; its clients ask again where it is overloaded. */
function typeOf(status: number): string {
  if (status === 429) return "Overloaded";
  return status >= 500 ? "Backend" : "Validation";
}

export function teiOperations(
  embeddings: EmbeddingsService,
  models: Pick<ModelCatalog, "choose" | "get">,
): Operation[] {
  const embed = async ({
    body,
    caller,
    signal,
  }: Pick<Call<unknown, unknown, TeiBody>, "body" | "caller" | "signal">) => {
    const { inputs, dimensions, prompt_name: prompt } = body;
    if (inputs.length === 0 && typeof inputs !== "string") return [];
    const wanted = { model: null, input: inputs, ...(dimensions === undefined ? {} : { dimensions }) };
    const kind = prompt?.toLowerCase().includes("query") === true ? ({ input_type: "query" } as const) : {};
    return (await embeddings.vectors({ ...wanted, ...kind }, { tenant: caller.tenantId, signal })).vectors;
  };
  const common = {
    method: "POST",
    tag: "Embeddings",
    role: "read",
    body: TeiBody,
    bodyLimit: HUGE_BODY,
    foreignKeys: ["truncate", "truncation_direction"],
    response: TeiVectors,
    returns: "One vector for each text, in order",
    errors: ["invalid_dimensions", "embedding_model_unavailable", "embedding_provider_error", "overloaded"],
    refusal: REFUSAL,
    examples: { body: { inputs: ["The food was delicious and the waiter friendly."], normalize: true } },
  } as const;
  return [
    operation(
      {
        ...common,
        path: "/embed",
        operationId: "embedAsTei",
        summary: "Embed text, as clients of text-embeddings-inference ask for it",
        description: "With the server's default model. Long texts are embedded window by window and averaged, not cut.",
      },
      embed,
    ),
    operation({ ...common, path: "/", operationId: "embedAsTeiAtRoot", summary: "The same as `/embed`" }, embed),
    operation(
      {
        method: "GET",
        path: "/info",
        operationId: "infoAsTei",
        summary: "The default model, as clients of text-embeddings-inference ask for it",
        tag: "Embeddings",
        role: "read",
        bodyLimit: NO_BODY,
        response: TeiInfo,
        errors: ["embedding_model_unavailable"],
        refusal: REFUSAL,
      },
      (): TeiInfo => {
        const chosen = models.choose(null, null);
        const name = chosen.ok ? chosen.model : "";
        return {
          model_id: name,
          model_sha: models.get(name)?.revision ?? null,
          model_dtype: "float32",
          model_type: { embedding: { pooling: "mean" } },
          max_concurrent_requests: 512,
          max_input_length: MAX_INPUT_TOKENS,
          max_batch_tokens: MAX_INPUT_TOKENS * MAX_INPUTS,
          max_batch_requests: null,
          max_client_batch_size: MAX_INPUTS,
          auto_truncate: true,
          tokenization_workers: 1,
          version,
        };
      },
    ),
  ];
}
