import { Type } from "@sinclair/typebox";
import { nullable } from "../../http/openai.ts";

/** A member for the chat model: passed on as it came; what is inside it is bounded by the body. */
const MOST_MEMBERS = 1024;
const passed = () => Type.Record(Type.String(), Type.Unknown(), { maxProperties: MOST_MEMBERS });

export const ChatCompletionBody = Type.Object(
  {
    model: Type.Optional(
      nullable(Type.String({ maxLength: 256 }), {
        description: "A chat model; any other name is the default chat model.",
      }),
    ),
    messages: Type.Array(passed(), { minItems: 1, maxItems: 4096, description: "Passed on as they come." }),
    stream: Type.Optional(nullable(Type.Boolean())),
  },
  {
    $id: "CreateChatCompletionRequest",
    maxProperties: MOST_MEMBERS,
    description: "Everything else is passed on as it comes.",
  },
);
