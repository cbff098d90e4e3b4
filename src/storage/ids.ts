/**
 * Ids by what they name, so that the compiler refuses a file's where a store's is meant. A plain string or number, as a
 * request or an index in memory has it, may stand for any of them: it names nothing until a table is asked.
 */
declare const names: unique symbol;

type Id<Plain, Named extends string> = Plain & { readonly [names]?: Named };

/** `ten_…` */
export type TenantId = Id<string, "tenant">;
/** `key_…` */
export type KeyId = Id<string, "key">;
/** `file-…` */
export type FileId = Id<string, "file">;
/** `upload_…` */
export type UploadId = Id<string, "upload">;
/** `part_…` */
export type UploadPartId = Id<string, "upload part">;
/** `vs_…` */
export type StoreId = Id<string, "store">;
/** `vsfb_…` */
export type BatchId = Id<string, "batch">;
/** `mig_…` */
export type MigrationId = Id<string, "migration">;
/** `eval_…` */
export type EvaluationId = Id<string, "evaluation">;
/** `q_…` */
export type JudgmentId = Id<string, "judgment">;
/** `conv_…` */
export type ConversationId = Id<string, "conversation">;
/** `resp_…` */
export type ResponseId = Id<string, "response">;
/** `asst_…` */
export type AssistantId = Id<string, "assistant">;
/** `thread_…` */
export type ThreadId = Id<string, "thread">;
/** `msg_…` */
export type MessageId = Id<string, "message">;
/** `run_…` */
export type RunId = Id<string, "run">;
/** `step_…` */
export type StepId = Id<string, "step of a run">;
/** `del_…` */
export type DeletionId = Id<string, "deletion">;

/** `conversation.seq` */
export type ConversationSeq = Id<number, "conversation">;
/** `store_file.seq`: a file in a store. */
export type StoreFileSeq = Id<number, "file in a store">;
/** `generation.id`; what clients see is its number within the store. */
export type GenerationId = Id<number, "generation">;
/** Chunks that generations share: the id of the one that first made them. */
export type ChunkSet = Id<number, "set of chunks">;
/** `chunk.id`; what clients see is made of it (shown-ids.ts). */
export type ChunkId = Id<number, "chunk">;
/** `job.id` */
export type JobId = Id<number, "job">;
/** `deletion.seq` */
export type DeletionSeq = Id<number, "place of a deletion">;
/** `evaluation.seq`; 0 stands for the store itself. */
export type EvaluationSeq = Id<number, "place of an evaluation">;
/** `response.seq` */
export type ResponseSeq = Id<number, "place of a response">;
/** `thread.seq` */
export type ThreadSeq = Id<number, "place of a thread">;
/** `run.seq` */
export type RunSeq = Id<number, "place of a run">;
