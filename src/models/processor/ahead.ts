/** Reading ahead: most of the time goes into waiting for files, so several are on their way while one is used. */
import { counted } from '../../formats/counted.js';

/** Headers of files that are read side by side, and milliseconds between signs of life. */
const TOGETHER = 64;
const SHOW_EVERY = 10_000;

/**
 * Works on items side by side, and gives results in the order of the items.
 *
 * @param most items that are in work, or done and not taken yet.
 */
export async function* ahead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<R>,
  most: number,
): AsyncGenerator<R, void, undefined> {
  const running: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // If the consumer stops early nobody waits for this one.
    result.catch(() => {});
    running.push(result);
    if (running.length >= most) yield await (running.shift() as Promise<R>);
  }
  for (const result of running) yield await result;
}

/** Reads something of every item, and says now and then how far it is. */
export async function readAll<T, R>(
  items: readonly T[],
  read: (item: T) => Promise<R>,
  note: (line: string) => void,
): Promise<R[]> {
  const results: R[] = [];
  let shown = performance.now();
  for await (const result of ahead(items, read, TOGETHER)) {
    results.push(result);
    if (performance.now() - shown < SHOW_EVERY) continue;
    shown = performance.now();
    note(`${results.length} of ${counted(items.length, 'sample')} are read`);
  }
  return results;
}
