/** Gets the data of the page: out of its own document, or from the server that watches the run. */
import type { RunUpdate } from '../model.js';
import type { RunState } from './run-state.js';

/** How the connection to a watching server stands. */
export type LiveState = 'live' | 'connecting' | 'lost';

/** Unpacks the blocks of the document in order; the page draws from the first on. */
export async function loadBlocks(state: RunState, onFirst: () => void): Promise<void> {
  let first = true;
  for (const block of document.querySelectorAll<HTMLScriptElement>('script[data-kind]')) {
    const text = block.textContent ?? '';
    if (block.dataset.kind === 'pictures') {
      state.apply([{ kind: 'pictures', from: 0, sources: text.split('\n').map((url) => url || null) }]);
    } else state.apply(await unpack(text));
    if (first) onFirst();
    first = false;
    // What has been taken in need not stay twice.
    block.remove();
  }
  state.finish();
}

async function unpack(text: string): Promise<RunUpdate[]> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return await new Response(stream).json();
}

/** Listens to the server; it sends what the page has not seen, also after a break of the connection. */
export function listenLive(address: string, state: RunState, onState: (live: LiveState) => void): void {
  const events = new EventSource(address);
  events.onopen = () => onState('live');
  events.onerror = () => onState(events.readyState === EventSource.CLOSED ? 'lost' : 'connecting');
  events.onmessage = ({ data }) => {
    state.apply(JSON.parse(data) as RunUpdate[]);
    if (!state.complete) state.finish();
  };
}
