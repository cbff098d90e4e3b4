/** What the job runner counts. */
import { counter, histogram } from "../platform/metrics.ts";

export const JOBS = counter("lectern_jobs_total", "Jobs that ended a run, by kind and outcome", ["kind", "outcome"]);
export const JOB_SECONDS = histogram("lectern_job_seconds", "Duration of job runs", ["kind"]);
