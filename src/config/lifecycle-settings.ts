import { choice, number, setting } from "./setting.ts";

/** Rows of the table of settings about how long things are kept. */
export const LIFECYCLE_SETTINGS = {
  expiredGraceDays: setting(
    "Lifecycle",
    "expired-grace-days",
    number(0, 36_500),
    7,
    "days after which an expired vector store loses its data",
    { reload: true },
  ),
  upgradeCopy: setting(
    "Lifecycle",
    "upgrade-copy",
    choice(["auto", "always", "never"]),
    "auto",
    "keep the database as it was before an upgrade, for two weeks: where the disk has room for it, or not without it, or not at all",
  ),
} as const;
