/**
 * Spans of requests and of the work behind them. Without a collector (`--otlp-endpoint`) all of this does nothing.
 *
 * A span's attributes are numbers and words of this program: never an address as sent, an id of a tenant's object, a
 * text, a name, or the message of an error.
 */
import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

/** One span, open. */
export interface OpenSpan {
  set(attributes: Attributes): void;
}

const NAME = "lectern";

class OtelSpan implements OpenSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }
}

const NO_SPAN: OpenSpan = { set() {} };

let areTaken = false;

/** Says whether anybody takes spans. While nobody does, none is made: the library would make one, with a context of its own. */
export function takeSpans(are: boolean): void {
  areTaken = are;
}

/** Work as a span below the current one. What is thrown marks it as failed and goes on. */
export function traced<T>(name: string, attributes: Attributes, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  if (!areTaken) return work(NO_SPAN);
  return trace.getTracer(NAME).startActiveSpan(name, { attributes }, (span) => run(span, work));
}

/** The same for a call of another server: `headers` are given the trace that it belongs to. */
export async function tracedCall<T>(
  name: string,
  headers: Record<string, string>,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  return await trace.getTracer(NAME).startActiveSpan(name, { kind: SpanKind.CLIENT }, (span) => {
    propagation.inject(context.active(), headers);
    return run(span, work);
  });
}

/** Work for which nobody waits: the first span of a trace of its own. */
export async function tracedAlone<T>(
  name: string,
  attributes: Attributes,
  work: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  return await trace
    .getTracer(NAME)
    .startActiveSpan(name, { attributes, root: true, kind: SpanKind.CONSUMER }, (span) => run(span, work));
}

/** A request, in the trace that its `traceparent` names. `ended` is told what the answer was. */
export function tracedRequest<T>(
  headers: Headers,
  work: () => Promise<T>,
  ended: (answer: T) => { name: string; attributes: Attributes; isFailure: boolean },
): Promise<T> {
  if (!areTaken) return work();
  const caller = propagation.extract(context.active(), headers, {
    get: (from, key) => from.get(key) ?? undefined,
    keys: (from) => [...from.keys()],
  });
  return context.with(caller, () =>
    trace.getTracer(NAME).startActiveSpan("request", { kind: SpanKind.SERVER }, async (span) => {
      try {
        const answer = await work();
        const { name, attributes, isFailure } = ended(answer);
        span.updateName(name).setAttributes(attributes);
        if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR });
        return answer;
      } finally {
        span.end();
      }
    }),
  );
}

async function run<T>(span: Span, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  try {
    return await work(new OtelSpan(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
