/**
 * Runs for Weights & Biases, written as its client writes them without a network: `wandb sync RUN/wandb/offline-run-*` sends
 * them. Its JavaScript client cannot do that: it needs the service from the first line on.
 */
import { folderReader, join, makeFolder, writeTextFiles } from '../../platform/files.js';
import type { RunStart, StepEvent, TrainingListener } from '../events.js';
import { ProtoWriter } from '../protobuf.js';
import { WandbLog } from './log-file.js';

/** Fields of wandb_internal.proto. */
const RECORD = { num: 1, history: 2, summary: 3, run: 17, exit: 18 } as const;
const RUN = {
  id: 1,
  project: 3,
  config: 4,
  displayName: 8,
  startingStep: 14,
  startTime: 17,
  resumed: 18,
} as const;
const HISTORY = { item: 1, step: 2 } as const;
const HISTORY_STEP = { num: 1 } as const;
/** Both of `ConfigRecord` and `SummaryRecord`. */
const UPDATE = 1;
/** Of `HistoryItem`, `ConfigItem` and `SummaryItem` alike. */
const ITEM = { key: 1, valueJson: 16 } as const;
const EXIT = { code: 1, runtime: 2 } as const;
const TIMESTAMP = { seconds: 1, nanos: 2 } as const;

const PROJECT = 'osler';
const ID_FILE = 'run-id';

/** Settings of {@link WandbOffline}. */
export interface WandbOptions {
  readonly runDir: string;
  /** Name on the site; that of the run folder by default. */
  readonly name: string | null;
  /** Wall time in seconds. */
  readonly now?: () => number;
}

/** Writes a run with its config and all metrics. A resumed run continues under the same id. */
export class WandbOffline implements TrainingListener {
  readonly #options: WandbOptions;
  readonly #now: () => number;
  #log: WandbLog | null = null;
  #records = 0;
  #start = 0;
  #last: StepEvent | null = null;

  /** Nothing is written before the run starts. */
  constructor(options: WandbOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => Date.now() / 1000);
  }

  async onStart({ config, doneSteps }: RunStart): Promise<void> {
    const { runDir, name } = this.#options;
    this.#start = this.#now();
    const folderName =
      runDir
        .replace(/[/\\]+$/, '')
        .split(/[/\\]/)
        .at(-1) ?? 'run';
    const id = await this.#runId();
    const folder = join(runDir, 'wandb', `offline-run-${stamp(this.#start)}-${id}`);
    await makeFolder(join(folder, 'files'));
    this.#log = await WandbLog.create(join(folder, `run-${id}.wandb`));
    const settings = new ProtoWriter();
    for (const [key, value] of Object.entries(config)) settings.bytes(UPDATE, item(key, value));
    const run = new ProtoWriter()
      .text(RUN.id, id)
      .text(RUN.project, PROJECT)
      .bytes(RUN.config, settings.finish())
      .text(RUN.displayName, name ?? folderName)
      .integer(RUN.startingStep, doneSteps)
      .bytes(RUN.startTime, timestamp(this.#start))
      .integer(RUN.resumed, doneSteps > 0 ? 1 : 0);
    await this.#write(RECORD.run, run);
  }

  async onStep(event: StepEvent): Promise<void> {
    this.#last = event;
    const { step, metrics } = event;
    const now = this.#now();
    const values = { ...metrics, _step: step, _timestamp: now, _runtime: now - this.#start };
    const history = new ProtoWriter();
    for (const [key, value] of Object.entries(values)) history.bytes(HISTORY.item, item(key, value));
    history.bytes(HISTORY.step, new ProtoWriter().integer(HISTORY_STEP.num, step).finish());
    await this.#write(RECORD.history, history);
  }

  async onEnd(): Promise<void> {
    const summary = new ProtoWriter();
    const values = { ...this.#last?.metrics, _step: this.#last?.step ?? 0 };
    for (const [key, value] of Object.entries(values)) summary.bytes(UPDATE, item(key, value));
    await this.#write(RECORD.summary, summary);
    const runtime = Math.round(this.#now() - this.#start);
    await this.#write(RECORD.exit, new ProtoWriter().integer(EXIT.code, 0).integer(EXIT.runtime, runtime));
  }

  async close(): Promise<void> {
    await this.#log?.close();
    this.#log = null;
  }

  /** The id that an earlier process gave the run, or a new one. */
  async #runId(): Promise<string> {
    const folder = join(this.#options.runDir, 'wandb');
    const known = await folderReader(folder)(ID_FILE);
    if (known) return new TextDecoder().decode(known).trim();
    const id = shortHash(`${this.#options.runDir} ${this.#start}`);
    await writeTextFiles(folder, { [ID_FILE]: `${id}\n` });
    return id;
  }

  async #write(field: number, message: ProtoWriter): Promise<void> {
    this.#records++;
    const record = new ProtoWriter().integer(RECORD.num, this.#records).bytes(field, message.finish());
    await this.#log?.write(record.finish());
  }
}

function item(key: string, value: unknown): Uint8Array {
  // Python's JSON, which the service reads, has names for what is not finite.
  const json = typeof value === 'number' && !Number.isFinite(value) ? String(value) : JSON.stringify(value);
  return new ProtoWriter().text(ITEM.key, key).text(ITEM.valueJson, json).finish();
}

function timestamp(seconds: number): Uint8Array {
  const whole = Math.floor(seconds);
  return new ProtoWriter()
    .integer(TIMESTAMP.seconds, whole)
    .integer(TIMESTAMP.nanos, Math.floor((seconds - whole) * 1e9))
    .finish();
}

/** `YYYYMMDD_HHMMSS`, in universal time. */
function stamp(seconds: number): string {
  const [date, time] = new Date(seconds * 1000).toISOString().split('T');
  return `${date.replaceAll('-', '')}_${time.slice(0, 8).replaceAll(':', '')}`;
}

/** FNV-1a of a text, as eight letters and digits. */
function shortHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(36).padStart(8, '0').slice(-8);
}
