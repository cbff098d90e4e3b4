import { Type } from "@sinclair/typebox";
import { HUGE_BODY } from "../../../http/body-limit.ts";
import { type Call, type Operation, operation, type RefusalShape } from "../../../http/operation.ts";
import { randomText } from "../../../platform/ids.ts";
import { EMBEDDING_ERRORS, type EmbeddingsService } from "../service.ts";
import { CohereBody, CohereByType, CohereError, CohereFirstBody, CohereFloats } from "./schema.ts";

const REFUSAL: RefusalShape = { schema: CohereError, body: ({ message }): CohereError => ({ message }) };
const common = {
  method: "POST",
  tag: "Embeddings",
  role: "read",
  bodyLimit: HUGE_BODY,
  foreignKeys: ["truncate", "max_tokens", "priority"],
  returns: "One vector for each text, in order",
  errors: ["model_not_found", ...EMBEDDING_ERRORS],
  refusal: REFUSAL,
} as const;

export function cohereOperations(embeddings: EmbeddingsService): Operation[] {
  return [
    operation(
      {
        ...common,
        path: "/v2/embed",
        operationId: "embedAsCohere",
        summary: "Embed text, as Cohere's clients ask for it",
        body: CohereBody,
        response: CohereByType,
        examples: {
          body: {
            model: "embed-english-v3.0",
            texts: ["The food was delicious and the waiter friendly."],
            input_type: "search_document",
            embedding_types: ["float"],
          },
        },
      },
      async (call) => {
        const { vectors, ...rest } = await embedded(embeddings, call, "2");
        return { response_type: "embeddings_by_type", ...rest, embeddings: { float: vectors } };
      },
    ),
    operation(
      {
        ...common,
        path: "/v1/embed",
        operationId: "embedAsOlderCohere",
        summary: "Embed text, as older clients of Cohere ask for it",
        description: "With `embedding_types` the answer is that of `/v2/embed`.",
        body: CohereFirstBody,
        response: Type.Union([CohereFloats, CohereByType]),
        examples: { body: { model: "embed-english-v3.0", texts: ["The food was delicious."] } },
      },
      async (call) => {
        const { vectors, ...rest } = await embedded(embeddings, call, "1");
        return call.body.embedding_types === undefined
          ? { response_type: "embeddings_floats", ...rest, embeddings: vectors }
          : { response_type: "embeddings_by_type", ...rest, embeddings: { float: vectors } };
      },
    ),
  ];
}

async function embedded(
  embeddings: EmbeddingsService,
  { body, caller, signal }: Pick<Call<unknown, unknown, CohereFirstBody>, "body" | "caller" | "signal">,
  version: string,
) {
  const { model, texts, input_type: inputType, output_dimension: dimensions } = body;
  const wanted = {
    model: model ?? null,
    input: texts,
    ...(inputType === undefined ? {} : { input_type: inputType }),
    ...(dimensions === undefined ? {} : { dimensions }),
  };
  const asker = { tenant: caller.tenantId, signal };
  const { vectors, tokens } = texts.length === 0 ? { vectors: [], tokens: 0 } : await embeddings.vectors(wanted, asker);
  const meta = { api_version: { version }, billed_units: { input_tokens: tokens } };
  return { id: `embed-${randomText(24)}`, texts, meta, vectors };
}
