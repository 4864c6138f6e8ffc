/** What is said between `helper.ts` and the processes that it starts. */

/** To a helper. */
export interface HelperRequest {
  readonly id: number;
  readonly request: unknown;
}

/** From a helper: one for each request, and one with the id 0 when it is ready. */
export type HelperReply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string };
