import { NO_BODY } from "../../../http/body-limit.ts";
import { listPage, readCursor } from "../../../http/openai.ts";
import { type Operation, operation } from "../../../http/operation.ts";
import type { RunView } from "./present.ts";
import { showStep } from "./present.ts";
import type { RunsService } from "./service.ts";
import { GetStepQuery, ListStepsQuery, RunStep, RunStepList } from "./steps-schema.ts";

const PATH = "/v1/threads/{thread_id}/runs/{run_id}/steps";

/** `/v1/threads/{thread_id}/runs/{run_id}/steps` */
export function stepOperations(runs: RunsService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listRunSteps",
        summary: "List the steps of a run",
        description: "A step each search, each round of calls, and each message.",
        tag: "Assistants",
        role: "read",
        query: ListStepsQuery,
        bodyLimit: NO_BODY,
        response: RunStepList,
        returns: "A page of steps",
        errors: ["thread_not_found", "run_not_found", "invalid_value"],
      },
      async (call) => {
        const { params, query, dialect } = call;
        const place = { threadId: params.thread_id, runId: params.run_id };
        const { run, rows, hasMore } = await runs.steps(call, place, readCursor(query));
        const view = viewOf(dialect, query.include);
        return listPage(
          rows.map((row) => showStep(row, run, view)),
          hasMore,
          dialect,
        );
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{step_id}`,
        operationId: "getRunStep",
        summary: "Retrieve a step of a run",
        tag: "Assistants",
        role: "read",
        query: GetStepQuery,
        bodyLimit: NO_BODY,
        response: RunStep,
        returns: "The step",
        errors: ["thread_not_found", "run_not_found", "run_step_not_found", "invalid_value"],
      },
      async (call) => {
        const { params, query, dialect } = call;
        const place = { threadId: params.thread_id, runId: params.run_id };
        const { run, row } = await runs.step(call, place, params.step_id);
        return showStep(row, run, viewOf(dialect, query.include));
      },
    ),
  ];
}

/** Steps have no texts with markers. */
function viewOf(dialect: RunView["dialect"], include: readonly string[] = []): RunView {
  return { dialect, markers: false, content: include.length > 0 };
}
