/** Progress on a console: one changing line on a terminal, plain lines elsewhere. */
import { counted } from '../formats/counted.js';
import { visible } from '../formats/quote.js';
import type { ProgressEvent, RunStart, StepEvent, TrainingListener, TrainingResult } from './events.js';
import { gib } from './memory/index.js';
import { PartClock } from './part-clock.js';

/** Where progress goes. */
export interface Console {
  /** A terminal, on which a line can be replaced. */
  readonly live: boolean;
  /** Writes text as it is. */
  write(text: string): void;
}

/** Steps whose times the rate is taken from: long enough to be steady, short enough to follow. */
const WINDOW = 20;

/** Milliseconds between lines about a step under way: a line that changes, and plain ones. */
const LIVE_EVERY = 200;
const PLAIN_EVERY = 30_000;

/** Shows rate, remaining time and memory. */
export class Progress implements TrainingListener {
  readonly #console: Console;
  readonly #every: number;
  readonly #times: number[] = [];
  readonly #parts = new PartClock();
  /** When something was written last. */
  #written = performance.now();
  #open = false;

  /** `every` is the number of steps between plain lines. */
  constructor(console: Console, every: number) {
    this.#console = console;
    this.#every = every;
  }

  onStart({ task, doneSteps, totalSteps, runDir }: RunStart): void {
    const from = doneSteps > 0 ? `goes on after step ${doneSteps} of` : 'takes';
    this.#line(`${task} ${from} ${counted(totalSteps, 'step')}; run folder ${runDir}`);
  }

  onStep({ step, totalSteps, metrics }: StepEvent): void {
    this.#times.push(metrics.step_time ?? 0);
    if (this.#times.length > WINDOW) this.#times.shift();
    const mean = this.#times.reduce((a, b) => a + b, 0) / this.#times.length;
    const due = step % this.#every === 0 || step === totalSteps;
    if (!due && !this.#console.live) return;
    const text = [
      `step ${step}/${totalSteps}`,
      ...SHOWN.flatMap(([name, digits]) => shown(name, metrics[name], digits)),
      `${(metrics.tokens_per_second ?? 0).toFixed(0)} tokens/s`,
      `peak ${gib(metrics['memory/peak_bytes'] ?? 0)}`,
      `ETA ${duration(mean * (totalSteps - step))}`,
    ].join('  ');
    if (due) this.#line(text);
    else this.#live(text);
  }

  onProgress({ step, totalSteps, seconds, part }: ProgressEvent): void {
    const left = this.#parts.left(step, part);
    const every = this.#console.live ? LIVE_EVERY : PLAIN_EVERY;
    if (performance.now() - this.#written < every) return;
    const text = [
      `step ${step}/${totalSteps}`,
      `${part.what} ${part.done} of ${part.about ? 'about ' : ''}${part.of}`,
      ...(left === undefined ? [] : [`${duration(left)} left of these`]),
      `${duration(seconds)} in this step`,
    ].join('  ');
    if (this.#console.live) this.#live(text);
    else this.#line(text);
  }

  onNote(line: string): void {
    this.#line(line);
  }

  onEnd({ outcome, step, totalSteps, checkpoint }: TrainingResult): void {
    const saved = checkpoint ? `; checkpoint ${checkpoint}` : '';
    const words = outcome === 'finished' ? 'finished' : 'stopped';
    const hint = outcome === 'stopped' ? '; go on with --resume' : '';
    this.#line(`${words} after step ${step} of ${totalSteps}${saved}${hint}`);
  }

  #line(text: string): void {
    this.#console.write(`${this.#open ? CLEAR : ''}${visible(text)}\n`);
    this.#open = false;
    this.#written = performance.now();
  }

  #live(text: string): void {
    this.#console.write(`${CLEAR}${visible(text)}`);
    this.#open = true;
    this.#written = performance.now();
  }
}

const CLEAR = '\r\x1b[K';

/** Metrics that fit a line, where there are any, and their digits. */
const SHOWN = [
  ['loss', 4],
  ['reward', 3],
  ['kl', 4],
  ['eval/loss', 4],
  ['eval/reward', 3],
  ['grad_norm', 3],
  ['learning_rate', 2],
] as const;

function shown(name: string, value: number | undefined, digits: number): string[] {
  if (value === undefined) return [];
  return [`${name} ${name === 'learning_rate' ? value.toExponential(digits) : value.toFixed(digits)}`];
}

/** Seconds as people write them. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
}
