/** Completions of some prompts, drawn on this machine. */
import type { Completion, GenerationRequest, Generator } from '../generate/index.js';

/**
 * Has a generator draw completions, by request, then by sample; it then gives its memory to the training pass. Rejects with
 * the signal's reason when it is aborted.
 */
export async function drawHere(
  generator: Generator,
  requests: readonly GenerationRequest[],
  signal: AbortSignal,
): Promise<Completion[][]> {
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
}
