import { render } from "preact";
import { App } from "./app.tsx";
import { takeCode } from "./state/session.ts";

// Before anything else: it must not stay in the address.
const code = takeCode();
const root = document.querySelector("#app");
if (root !== null) render(<App code={code} />, root);
