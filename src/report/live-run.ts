/** A run that is watched: what a new reader must be told, and what is new since the last look. */
import type { RunInfo, RunUpdate } from './model.js';
import { type FindPicture, pictureFinder, thumbnail } from './pictures.js';
import { RunReader } from './run-reader.js';

/** Completions that a watching process keeps; older ones are thinned out. */
const MOST_COMPLETIONS = 20_000;
/** Groups that go into one message. */
const GROUPS_AT_ONCE = 100;
const PICTURE_SIDE = 384;
/** Pictures that are kept small and ready. */
const KEPT_PICTURES = 500;

/** Follows a run's folder. */
export class LiveRun {
  readonly #run: RunReader;
  readonly #thumbnails = new Map<number, Promise<Uint8Array | undefined>>();
  #find: FindPicture = async () => undefined;
  #told = 0;
  #polling: Promise<RunUpdate[]> | undefined;

  constructor(runDir: string) {
    this.#run = new RunReader(runDir, MOST_COMPLETIONS);
  }

  /** @throws OslerError when the folder is not that of a run. */
  check(): Promise<void> {
    return this.#run.check();
  }

  get name(): string {
    return this.#info().name;
  }

  /** Reads what is new. One reading at a time: who asks meanwhile is told the same. */
  poll(): Promise<RunUpdate[]> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  /** Everything so far, in messages of a moderate size. */
  *snapshot(): Generator<RunUpdate[]> {
    const { rows, traces, evaluations } = this.#run;
    yield [
      { kind: 'restart' },
      { kind: 'info', info: this.#info() },
      { kind: 'metrics', rows },
      { kind: 'evaluations', evaluations },
      { kind: 'progress', progress: this.#run.progress },
      { kind: 'tallies', tallies: traces.tallies },
      this.#pictures(0),
    ];
    const { groups } = traces;
    for (let at = 0; at < groups.length; at += GROUPS_AT_ONCE) {
      yield [{ kind: 'traces', groups: groups.slice(at, at + GROUPS_AT_ONCE) }];
    }
  }

  /** A picture of the run as WebP; undefined when there is no such picture. */
  picture(index: number): Promise<Uint8Array | undefined> {
    const known = this.#thumbnails.get(index);
    if (known !== undefined) return known;
    const path = this.#run.pictures[index];
    const made = (async () => {
      const bytes = path === undefined ? undefined : await this.#find(path);
      return bytes && (await thumbnail(bytes, PICTURE_SIDE));
    })();
    this.#thumbnails.set(index, made);
    const oldest = this.#thumbnails.keys().next().value;
    if (this.#thumbnails.size > KEPT_PICTURES && oldest !== undefined) this.#thumbnails.delete(oldest);
    return made;
  }

  async #poll(): Promise<RunUpdate[]> {
    const changes = await this.#run.poll();
    if (changes.config) this.#find = pictureFinder(await this.#run.imageRoots());
    if (changes.restarted) {
      this.#told = this.#run.pictures.length;
      return [...this.snapshot()].flat();
    }
    const news: RunUpdate[] = [];
    if (changes.config) news.push({ kind: 'info', info: this.#info() });
    if (changes.rows.length > 0) news.push({ kind: 'metrics', rows: changes.rows });
    if (changes.evaluations) news.push({ kind: 'evaluations', evaluations: this.#run.evaluations });
    if (changes.progress) news.push({ kind: 'progress', progress: this.#run.progress });
    if (this.#told < this.#run.pictures.length) news.push(this.#pictures(this.#told));
    this.#told = this.#run.pictures.length;
    if (changes.steps.size > 0) {
      const tallies = this.#run.traces.tallies.filter(({ step }) => changes.steps.has(step));
      news.push({ kind: 'traces', groups: changes.groups }, { kind: 'tallies', tallies });
    }
    return news;
  }

  #info(): RunInfo {
    return this.#run.info({ provenance: [], notes: [] });
  }

  #pictures(from: number): RunUpdate {
    const sources = this.#run.pictures.slice(from).map((_, i) => `picture/${from + i}`);
    return { kind: 'pictures', from, sources };
  }
}
