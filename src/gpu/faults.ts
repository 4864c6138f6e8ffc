/**
 * What went wrong on a device, known before any of its numbers are used.
 *
 * A driver may tell of an error long after the commands that it spoils: Chromium may map a buffer before it says that the
 * submit which should have filled it was refused. What no driver may do is answer an error scope before it has judged all
 * that was asked inside of it. So scopes of every kind stand open from one wait to the next; a wait closes them, opens
 * the next ones, and gives nothing away until they have answered. Commands and submits cost nothing more.
 */
import { OslerError, tellsOfMemory } from './errors.js';

const KINDS: readonly GPUErrorFilter[] = ['validation', 'out-of-memory', 'internal'];
/** A device that fails a wait says within this time why, or not at all. */
const LOSS_MS = 2000;

/** Makes a sentence of an error. */
type Explain = (error: Pick<GPUError, 'message'>) => OslerError | Promise<OslerError>;

/** The errors of one device; the first one ends its use. */
export class FaultWatch {
  readonly #device: GPUDevice;
  readonly #explain: Explain;
  /** Settles when the loss of the device has been noted. */
  readonly #lost: Promise<void>;
  /** Scopes that have not answered yet. */
  readonly #judging = new Set<Promise<void>>();
  #fault: OslerError | null = null;
  /** Whether the fault is what a guard stood for; else it may be the consequence of one that is told later. */
  #guarded = false;

  /** `explain` is for errors that no {@link guard} stood for. Put it up before anything else is asked of the device. */
  constructor(device: GPUDevice, explain: Explain) {
    this.#device = device;
    this.#explain = explain;
    this.#lost = device.lost.then(async ({ reason, message }) => {
      // A small allocation of a driver's own that fails takes the device with it.
      if (tellsOfMemory(message)) return this.#note(await explain({ message }), false);
      const text = `the GPU device was lost (${reason}): ${message}; restart from the last checkpoint`;
      this.#note(new OslerError('device-lost', text), false);
    });
    device.addEventListener('uncapturederror', async ({ error }) => this.#note(await explain(error), false));
    this.#open();
  }

  /** Throws what is known to have gone wrong. */
  assertNone(): void {
    if (this.#fault) throw this.#fault;
  }

  /** Runs `body`; errors of these kinds are told as `explain` puts them, in place of what they bring about later. */
  guard<T>(kinds: readonly GPUErrorFilter[], body: () => T, explain: Explain): T {
    for (const kind of kinds) this.#device.pushErrorScope(kind);
    try {
      return body();
    } finally {
      this.#close(kinds, explain, true);
    }
  }

  /** What `answer` gives, once all that was asked of the device before is known to be in order; else throws what was not. */
  async after<T>(answer: Promise<T>): Promise<T> {
    this.#close(KINDS, this.#explain, false);
    this.#open();
    // Not only the scopes closed here: what an earlier wait has not been told yet spoils this one's numbers too.
    const [outcome] = await Promise.allSettled([answer, ...this.#judging]);
    this.assertNone();
    if (outcome.status === 'fulfilled') return outcome.value;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, LOSS_MS);
    });
    await Promise.race([this.#lost, patience]);
    clearTimeout(timer);
    this.assertNone();
    throw outcome.reason;
  }

  #open(): void {
    for (const kind of KINDS) this.#device.pushErrorScope(kind);
  }

  /** Closes the innermost scopes, of these kinds. */
  #close(kinds: readonly GPUErrorFilter[], explain: Explain, guarded: boolean): void {
    const answers = kinds.map(() => this.#device.popErrorScope());
    const judged = Promise.all(answers)
      .then(async (errors) => {
        for (const error of errors) if (error) this.#note(await explain(error), guarded);
      })
      .catch((error: Error) => {
        const text = `the GPU device does not say whether it did its work: ${error.message}`;
        this.#note(new OslerError('device-lost', text), false);
      })
      .finally(() => this.#judging.delete(judged));
    this.#judging.add(judged);
  }

  #note(fault: OslerError, guarded: boolean): void {
    if (this.#fault && (this.#guarded || !guarded)) return;
    this.#fault = fault;
    this.#guarded = guarded;
  }
}
