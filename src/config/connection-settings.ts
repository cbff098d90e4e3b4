import { integer, number, setting } from "./setting.ts";

/** Rows of the table of settings about how connections end: at a stop, and where nothing moves on them. */
export const CONNECTION_SETTINGS = {
  graceSeconds: setting("Serving", "grace", number(0, 3600), 10, "seconds that requests in flight get at SIGTERM"),
  drainDelaySeconds: setting(
    "Serving",
    "drain-delay",
    number(0, 3600),
    0,
    "seconds before that in which requests are served and /readyz answers 503, so that load balancers stop sending any",
  ),
  idleTimeoutSeconds: setting(
    "Serving",
    "idle-timeout",
    integer(5, 255),
    120,
    "seconds after which a connection on which nothing moves is closed",
  ),
} as const;
