import { afterEach, expect, it } from 'vitest';
import { installPacing, type Pacer } from './pacing.js';

/** Polls as Dawn's binding does: looks `setImmediate` up each time and hands it a native function. */
class FakeBuffer {
  polls = 0;
  readonly via: unknown[] = [];
  #deadline = 0;

  mapAsync(ms: number): Promise<void> {
    this.#deadline = performance.now() + ms;
    return new Promise((resolve) => this.#arm(resolve));
  }

  #arm(resolve: () => void): void {
    const poll = () => {
      this.polls++;
      if (performance.now() < this.#deadline) this.#arm(resolve);
      else resolve();
    };
    this.via.push(globalThis.setImmediate);
    // Bound functions print as native code.
    globalThis.setImmediate(poll.bind(this));
  }
}

let pacer: Pacer | undefined;
const own = globalThis.setImmediate;
// Each installation wraps the class that it is given.
const freshClass = () =>
  class extends FakeBuffer {
    override mapAsync(ms: number) {
      return super.mapAsync(ms);
    }
  };

afterEach(() => {
  pacer?.uninstall();
  expect(globalThis.setImmediate).toBe(own);
});

it('polls rarely in a long wait', async () => {
  const GPUBuffer = freshClass();
  pacer = installPacing({ GPUBuffer });
  const paced = new GPUBuffer();
  await paced.mapAsync(60);
  // Unpaced, it is some ten thousand. A busy machine makes it fewer, never more.
  expect(paced.polls).toBeLessThan(250);
});

it('stays in place from poll to poll, and leaves setImmediate alone for everyone else', async () => {
  const GPUBuffer = freshClass();
  pacer = installPacing({ GPUBuffer });
  const buffer = new GPUBuffer();
  const wait = buffer.mapAsync(10);
  expect(globalThis.setImmediate).toBe(own);
  let turns = 0;
  let waiting = true;
  void wait.then(() => {
    waiting = false;
  });
  while (waiting) {
    await new Promise((resolve) => setImmediate(resolve));
    expect(globalThis.setImmediate).toBe(own);
    turns++;
  }
  expect(turns).toBeGreaterThan(0);
  expect(buffer.via.every((used) => used !== own)).toBe(true);
});

it('hands on what an event handler schedules during a poll', async () => {
  const seen: unknown[] = [];
  class GPUQueue {
    onSubmittedWorkDone() {
      setImmediate((...args: unknown[]) => seen.push(...args), 1, 2);
      const cancelled = setImmediate(() => seen.push('cancelled'));
      clearImmediate(cancelled);
      return new Promise<void>((resolve) => setImmediate(() => resolve()));
    }
  }
  pacer = installPacing({ GPUQueue });
  await new GPUQueue().onSubmittedWorkDone();
  expect(seen).toEqual([1, 2]);
});

it('restores setImmediate when Dawn throws, and its methods when uninstalled', () => {
  class GPUAdapter {
    requestDevice() {
      throw new Error('lost');
    }
  }
  const { requestDevice } = GPUAdapter.prototype;
  pacer = installPacing({ GPUAdapter });
  expect(GPUAdapter.prototype.requestDevice).not.toBe(requestDevice);
  expect(() => new GPUAdapter().requestDevice()).toThrow('lost');
  expect(globalThis.setImmediate).toBe(own);
  pacer.uninstall();
  expect(GPUAdapter.prototype.requestDevice).toBe(requestDevice);
});
