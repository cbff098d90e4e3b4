/** The measures of the product itself. */
export { meanOf, scoresOf } from "../../src/jobs/measures.ts";
export type { Grades as Judgments, Scores } from "../../src/jobs/measures.ts";
