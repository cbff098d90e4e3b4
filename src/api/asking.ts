import type { Caller } from "../http/caller.ts";
import type { Call } from "../http/operation.ts";
import { presenterFor } from "./presenters/choose.ts";
import type { DialectRules } from "./presenters/presenter.ts";

/** Who asks something of which vector store, and by the rules of which dialect. */
export interface Asking {
  caller: Caller;
  storeId: string;
  rules: DialectRules;
}

/** That of a request whose address names a store. */
export function askingOf(call: Pick<Call<{ vector_store_id: string }>, "caller" | "params" | "dialect">): Asking {
  return { caller: call.caller, storeId: call.params.vector_store_id, rules: presenterFor(call.dialect).rules };
}
