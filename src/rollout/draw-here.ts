/** Completions of some prompts, drawn on this machine. */
import type { Completion, GenerationRequest, Generator } from '../generate/index.js';

/** Tokens that were drawn, and about how many there will be. */
export type DrawProgress = (done: number, about: number) => void;

/**
 * Has a generator draw completions, by request, then by sample; it then gives its memory to the training pass. Rejects with
 * the signal's reason when it is aborted.
 */
export async function drawHere(
  generator: Generator,
  requests: readonly GenerationRequest[],
  signal: AbortSignal,
  onProgress?: DrawProgress,
): Promise<Completion[][]> {
  const counted = onProgress ? countingTokens(requests, onProgress) : requests;
  const handles = counted.map((request) => generator.submit(request));
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

/**
 * Requests that count their tokens. Completions that are not done are taken to become as long as those that are, or as they may
 * be while none is.
 */
function countingTokens(
  requests: readonly GenerationRequest[],
  onProgress: DrawProgress,
): readonly GenerationRequest[] {
  const all = requests.reduce((sum, { samples = 1 }) => sum + samples, 0);
  const cap = Math.max(0, ...requests.map(({ maxNewTokens }) => maxNewTokens));
  let [done, ended, endedTokens] = [0, 0, 0];
  return requests.map((request) => ({
    ...request,
    onToken: (event) => {
      request.onToken?.(event);
      done++;
      if (event.finishReason !== undefined) {
        ended++;
        endedTokens += event.index + 1;
      }
      const length = ended === 0 ? cap : endedTokens / ended;
      onProgress(done, Math.max(done, Math.round(endedTokens + (all - ended) * length)));
    },
  }));
}
