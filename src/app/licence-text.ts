import license from "../../LICENSE" with { type: "text" };
import notice from "../../NOTICE" with { type: "text" };

/** What the executable contains and under which licences, then its own. */
export function licenceText(): string {
  return `${notice}\n\n${license}`;
}
