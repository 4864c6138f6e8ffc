/** All that the page knows of its run; the same whether it comes from the file or over the wire. */
import type {
  Evaluation,
  MetricRow,
  RunInfo,
  RunUpdate,
  StepProgress,
  StepTally,
  TraceGroup,
} from '../model.js';
import { TraceStore, tallyKey } from '../trace-store.js';

/** Completions that a live page keeps. */
const MOST_COMPLETIONS = 50_000;

const UNKNOWN: RunInfo = { kind: 'run', name: 'Run', config: '', facts: [], provenance: [], notes: [] };

/** Rows and groups in order, as of a version. */
interface Sorted {
  readonly version: number;
  readonly rows: readonly MetricRow[];
  readonly groups: readonly TraceGroup[];
}

/** Takes in updates and tells who listens, at most once a frame. */
export class RunState {
  info = UNKNOWN;
  evaluations: readonly Evaluation[] = [];
  /** Of the step under way, where it takes long. */
  progress: StepProgress | null = null;
  /** Goes up with every change: what was computed from an older one is stale. */
  version = 0;
  /** Everything that there is to load has been loaded. */
  complete = false;
  #rows = new Map<number, MetricRow>();
  #traces = new TraceStore(MOST_COMPLETIONS);
  #tallies = new Map<string, StepTally>();
  #pictures: (string | null)[] = [];
  #sorted: Sorted | undefined;
  readonly #listeners = new Set<() => void>();
  #announced = true;

  /** What the numbers of groups count. */
  get unit(): 'step' | 'question' {
    return this.info.kind === 'evaluation' ? 'question' : 'step';
  }

  /** One row a step, in order. */
  get rows(): readonly MetricRow[] {
    return this.#inOrder().rows;
  }

  /** Groups in order of their steps. */
  get groups(): readonly TraceGroup[] {
    return this.#inOrder().groups;
  }

  /** Rollouts counted by step and cell. */
  get tallies(): readonly StepTally[] {
    return [...this.#tallies.values()];
  }

  /** Address of a picture; undefined when it is not there. */
  picture(index: number): string | undefined {
    return this.#pictures[index] ?? undefined;
  }

  /** Calls back after changes; returns how to stop it. */
  listen(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Takes in news. */
  apply(updates: readonly RunUpdate[]): void {
    for (const update of updates) this.#applyOne(update);
    this.#changed();
  }

  /** Says that all has been loaded. */
  finish(): void {
    this.complete = true;
    this.#changed();
  }

  #applyOne(update: RunUpdate): void {
    switch (update.kind) {
      case 'progress':
        this.progress = update.progress;
        break;
      case 'info':
        this.info = update.info;
        break;
      case 'metrics':
        for (const row of update.rows) this.#rows.set(row.step, row);
        break;
      case 'traces':
        for (const group of update.groups) this.#traces.add(group);
        break;
      case 'tallies':
        for (const tally of update.tallies) this.#tallies.set(tallyKey(tally), tally);
        break;
      case 'evaluations':
        this.evaluations = update.evaluations;
        break;
      case 'pictures':
        this.#pictures.splice(update.from, update.sources.length, ...update.sources);
        break;
      case 'restart':
        this.#rows.clear();
        this.#traces = new TraceStore(MOST_COMPLETIONS);
        this.#tallies.clear();
        break;
    }
  }

  #inOrder(): Sorted {
    if (this.#sorted?.version === this.version) return this.#sorted;
    const rows = [...this.#rows.values()].sort((a, b) => a.step - b.step);
    this.#sorted = { version: this.version, rows, groups: this.#traces.groups };
    return this.#sorted;
  }

  #changed(): void {
    this.version++;
    if (!this.#announced) return;
    this.#announced = false;
    requestAnimationFrame(() => {
      this.#announced = true;
      for (const callback of this.#listeners) callback();
    });
  }
}
