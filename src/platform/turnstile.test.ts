import { describe, expect, it } from 'vitest';
import { Turnstile } from './turnstile.js';

/** Enters, and says so in `inside`. */
async function enter(turnstile: Turnstile, weight: number, inside: number[], signal?: AbortSignal) {
  const leave = await turnstile.enter(weight, signal);
  inside.push(weight);
  return leave;
}

/** Lets whoever can go on do so. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a turnstile', () => {
  it('lets in what there is room for, in order', async () => {
    const turnstile = new Turnstile(10);
    const inside: number[] = [];
    const first = await enter(turnstile, 6, inside);
    const second = enter(turnstile, 5, inside);
    const third = enter(turnstile, 4, inside);
    await settled();
    expect(inside).toEqual([6]);
    first();
    first();
    await Promise.all([second, third]);
    expect(inside).toEqual([6, 5, 4]);
  });

  it('lets in alone what is larger than all its room', async () => {
    const turnstile = new Turnstile(10);
    const inside: number[] = [];
    const small = await enter(turnstile, 1, inside);
    const large = enter(turnstile, 99, inside);
    const other = enter(turnstile, 1, inside);
    await settled();
    expect(inside).toEqual([1]);
    small();
    (await large)();
    await other;
    expect(inside).toEqual([1, 99, 1]);
  });

  it('forgets who does not want to wait any more', async () => {
    const turnstile = new Turnstile(10);
    const inside: number[] = [];
    const first = await enter(turnstile, 8, inside);
    const { signal, abort } = abortable();
    const second = enter(turnstile, 9, inside, signal);
    const third = enter(turnstile, 2, inside);
    abort();
    await expect(second).rejects.toThrow('gone');
    await third;
    first();
    await expect(turnstile.enter(1, signal)).rejects.toThrow('gone');
    (await enter(turnstile, 8, inside))();
    expect(inside).toEqual([8, 2, 8]);
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('gone')) };
}
