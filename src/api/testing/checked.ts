import type { TSchema } from "@sinclair/typebox";
import type { Operation } from "../../http/operation.ts";
import { compileValidator } from "../../http/validate.ts";

/** The operation with every JSON answer held against its own response schema: an answer that breaks it becomes a 500. */
export function checked(operation: Operation): Operation {
  const { spec, handle } = operation;
  if ("mediaType" in spec.response) return operation;
  const validator = compileValidator(spec.response as TSchema);
  return {
    spec,
    async handle(call) {
      const answer = await handle(call);
      if (answer instanceof Response) return answer;
      const problem = validator.problem(JSON.parse(JSON.stringify(answer)));
      if (problem !== null) throw new Error(`${spec.operationId} breaks its response schema: ${problem.message}`);
      return answer;
    },
  };
}
