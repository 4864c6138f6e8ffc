/** Completions of a round, drawn on this machine. */
import type { Completion, GenerationRequest, Generator } from '../generate/index.js';

/** Draws completions, wherever that happens: by request, then by sample. Rejects with the signal's reason when it is aborted. */
export type CompletionSource = (
  requests: readonly GenerationRequest[],
  signal: AbortSignal,
) => Promise<Completion[][]>;

/** A source that has a generator draw them, which then gives its memory to the training pass. */
export function localSource(generator: Generator): CompletionSource {
  return async (requests, signal) => {
    const handles = requests.map((request) => generator.submit(request));
    const cancel = () => {
      for (const handle of handles) handle.cancel();
    };
    signal.addEventListener('abort', cancel);
    try {
      const completions = await Promise.all(handles.map((handle) => handle.completions));
      signal.throwIfAborted();
      return completions;
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
      await generator.release();
    }
  };
}
