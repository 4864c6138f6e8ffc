/** Reads a run's folder, at once or as it grows. */

import { JsonLinesTail } from '../formats/json-lines-tail.js';
import { OslerError } from '../gpu/index.js';
import { folderReader, isFolder, join, listFolder } from '../platform/files.js';
import { PROGRESS_FILE } from '../train/progress-file.js';
import { folderName, type ReportContent } from './content.js';
import { readEvaluations } from './evaluations.js';
import type { Evaluation, MetricRow, RunInfo, StepProgress, TraceGroup } from './model.js';
import { type CompletionLine, parseCompletion, parseMetrics, parseProgress, traceGroup } from './records.js';
import { imageRoots, type RunConfig, readRunConfig } from './run-config.js';
import { TraceStore } from './trace-store.js';

/** Bytes that the file of a step's progress may have. */
const MOST_PROGRESS = 10_000;

/** What changed since the last look. */
export interface RunChanges {
  /** The files were rewritten, so that everything is new. */
  readonly restarted: boolean;
  readonly config: boolean;
  readonly rows: readonly MetricRow[];
  readonly groups: readonly TraceGroup[];
  /** Steps that have new completions, whether their traces are kept or not. */
  readonly steps: ReadonlySet<number>;
  readonly evaluations: boolean;
  readonly progress: boolean;
}

/** Groups that are complete, and steps that had some. */
interface Closed {
  readonly groups: TraceGroup[];
  readonly steps: Set<number>;
}

/** The content of a run's folder; `poll` brings it up to date. */
export class RunReader implements ReportContent {
  readonly dir: string;
  readonly files = ['config.yaml', 'metrics.jsonl', 'completions.jsonl'];
  /** Paths of pictures as the completions name them; traces hold indices into this. */
  readonly pictures: string[] = [];
  config: RunConfig = readRunConfig('');
  evaluations: readonly Evaluation[] = [];
  /** Of the step under way, where it takes long. */
  progress: StepProgress | null = null;
  readonly #metrics: JsonLinesTail;
  readonly #completions: JsonLinesTail;
  readonly #capacity: number;
  readonly #rows = new Map<number, MetricRow>();
  readonly #pictureIndex = new Map<string, number>();
  #traces: TraceStore;
  /** Lines of the group that was read last: the rest of it may still come. */
  #open: CompletionLine[] = [];
  #strange = 0;
  #configText: string | undefined;
  #evaluationsText = '[]';

  /** @param capacity most completions to keep; see {@link TraceStore}. */
  constructor(dir: string, capacity?: number) {
    this.dir = dir;
    this.#capacity = capacity ?? Number.POSITIVE_INFINITY;
    this.#metrics = new JsonLinesTail(join(dir, 'metrics.jsonl'));
    this.#completions = new JsonLinesTail(join(dir, 'completions.jsonl'));
    this.#traces = new TraceStore(this.#capacity);
  }

  /** One row a step; a step that was taken again by a resumed run counts as the last time. */
  get rows(): MetricRow[] {
    return [...this.#rows.values()].sort((a, b) => a.step - b.step);
  }

  get traces(): TraceStore {
    return this.#traces;
  }

  /** Lines of both files that could not be used. */
  get badLines(): number {
    return this.#metrics.bad + this.#completions.bad + this.#strange;
  }

  /** @throws OslerError when the folder is not that of a run. */
  async check(): Promise<void> {
    if (!(await isFolder(this.dir))) {
      throw new OslerError('value', `${this.dir} is not a folder; name the folder of a run`);
    }
    const names = (await listFolder(this.dir)) ?? [];
    if (!['config.yaml', 'metrics.jsonl', 'completions.jsonl'].some((name) => names.includes(name))) {
      throw new OslerError(
        'value',
        `${this.dir} is not the folder of a run: it has neither config.yaml nor metrics.jsonl; name the folder that ` +
          '`osler sft` or `osler grpo` wrote (output_dir), or for a report that of `osler eval` (--out)',
      );
    }
  }

  /**
   * Reads what is new.
   *
   * @param finished nobody writes any more: unfinished last lines and groups count.
   */
  async poll(finished = false): Promise<RunChanges> {
    const metrics = await this.#metrics.read(finished);
    const completions = await this.#completions.read(finished);
    const restarted = metrics.restarted || completions.restarted;
    if (metrics.restarted) this.#rows.clear();
    if (completions.restarted) {
      this.#traces = new TraceStore(this.#capacity);
      this.#open = [];
      this.#strange = 0;
    }
    const rows = metrics.values.flatMap((value) => this.#usable(parseMetrics(value)));
    for (const row of rows) this.#rows.set(row.step, row);
    const { groups, steps } = this.#take(completions.values, finished || completions.values.length === 0);
    const config = await this.#readConfig();
    const evaluations = await this.#readEvaluations();
    const progress = await this.#readProgress();
    if (!restarted) return { restarted, config, rows, groups, steps, evaluations, progress };
    const all = { rows: this.rows, groups: this.#traces.groups };
    return { restarted, config, ...all, steps, evaluations, progress };
  }

  /** Where pictures may be. */
  imageRoots(): Promise<string[]> {
    return imageRoots(this.dir, this.config.strings);
  }

  /** The head of the page. */
  info(extra: Pick<RunInfo, 'provenance' | 'written' | 'notes'>): RunInfo {
    return {
      kind: 'run',
      name: folderName(this.dir) ?? 'run',
      config: this.config.text,
      facts: this.config.facts,
      ...(this.config.totalSteps !== undefined && { totalSteps: this.config.totalSteps }),
      ...extra,
    };
  }

  #usable<T>(value: T | undefined): T[] {
    if (value !== undefined) return [value];
    this.#strange++;
    return [];
  }

  /** Completions of a group follow one another; the last group is closed by the next, or when nothing more comes. */
  #take(values: readonly unknown[], close: boolean): Closed {
    const done: Closed = { groups: [], steps: new Set() };
    for (const value of values) {
      for (const line of this.#usable(parseCompletion(value))) {
        if (this.#open.length > 0 && !this.#belongs(line)) this.#close(done);
        this.#open.push(line);
      }
    }
    if (close && this.#open.length > 0) this.#close(done);
    return done;
  }

  /** Whether a line is of the group that is being read, and not of the same step taken again. */
  #belongs(line: CompletionLine): boolean {
    return this.#open.every(({ step, group, sample }) => {
      return step === line.step && group === line.group && sample !== line.sample;
    });
  }

  #close(done: Closed): void {
    const group = traceGroup(this.#open, (path) => this.#picture(path));
    this.#open = [];
    done.steps.add(group.step);
    if (this.#traces.add(group)) done.groups.push(group);
  }

  #picture(path: string): number {
    const known = this.#pictureIndex.get(path);
    if (known !== undefined) return known;
    const index = this.pictures.push(path) - 1;
    this.#pictureIndex.set(path, index);
    return index;
  }

  async #readConfig(): Promise<boolean> {
    const bytes = await folderReader(this.dir)('config.yaml');
    const text = bytes === undefined ? '' : new TextDecoder().decode(bytes);
    if (text === this.#configText) return false;
    this.#configText = text;
    this.config = readRunConfig(text);
    return true;
  }

  async #readProgress(): Promise<boolean> {
    const bytes = await folderReader(this.dir, MOST_PROGRESS)(PROGRESS_FILE).catch(() => undefined);
    const found = parseProgress(bytes);
    // One that was left behind says nothing of what came after.
    const last = this.rows.at(-1)?.step ?? -1;
    const progress = found !== null && found.step > last ? found : null;
    if (JSON.stringify(progress) === JSON.stringify(this.progress)) return false;
    this.progress = progress;
    return true;
  }

  async #readEvaluations(): Promise<boolean> {
    const evaluations = await readEvaluations(this.dir);
    const text = JSON.stringify(evaluations);
    if (text === this.#evaluationsText) return false;
    this.#evaluationsText = text;
    this.evaluations = evaluations;
    return true;
  }
}
