/**
 * Event files for TensorBoard. The format is a page of code, and the libraries that write it from JavaScript bring all of
 * TensorFlow.
 */
import { type AppendFile, appendTo, join, makeFolder } from '../../platform/files.js';
import type { RunStart, StepEvent, TrainingListener } from '../events.js';
import { ProtoWriter } from '../protobuf.js';
import { frame } from './record.js';

/** Fields of `Event`, `Summary`, `Summary.Value` and `SessionLog` in TensorFlow's event.proto and summary.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2 } as const;
const SESSION = { status: 1, start: 1 } as const;

/** Writes every metric of a run as a scalar. */
export class TensorBoard implements TrainingListener {
  readonly #dir: string;
  readonly #now: () => number;
  #file: AppendFile | null = null;

  /** `now` gives the wall time in seconds. */
  constructor(runDir: string, now: () => number = () => Date.now() / 1000) {
    this.#dir = join(runDir, 'tensorboard');
    this.#now = now;
  }

  async onStart({ doneSteps }: RunStart): Promise<void> {
    await makeFolder(this.#dir);
    const time = this.#now();
    // One file per process; TensorBoard reads them in the order of their names.
    const name = `events.out.tfevents.${Math.floor(time)}.osler.${Math.floor((time % 1) * 1e6)}.v2`;
    this.#file = await appendTo(join(this.#dir, name));
    await this.#write((event) => event.text(EVENT.fileVersion, 'brain.Event:2'));
    if (doneSteps === 0) return;
    // Tells readers to forget later steps of an earlier file: they are taken again.
    const start = new ProtoWriter().integer(SESSION.status, SESSION.start).finish();
    await this.#write((event) => event.integer(EVENT.step, doneSteps + 1).bytes(EVENT.sessionLog, start));
  }

  async onStep({ step, metrics }: StepEvent): Promise<void> {
    const summary = new ProtoWriter();
    for (const [tag, value] of Object.entries(metrics)) {
      const scalar = new ProtoWriter().text(VALUE.tag, tag).float(VALUE.simpleValue, value);
      summary.bytes(SUMMARY.value, scalar.finish());
    }
    await this.#write((event) => event.integer(EVENT.step, step).bytes(EVENT.summary, summary.finish()));
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #write(fill: (event: ProtoWriter) => ProtoWriter): Promise<void> {
    const event = fill(new ProtoWriter().double(EVENT.wallTime, this.#now()));
    await this.#file?.append(frame(event.finish()));
  }
}
