/** What `osler bench --isa` and the process on a null device say to each other. */
import type { AdapterInfo } from '#osler/gpu/index.js';
import type { Use } from './recorder.js';
import type { Phase } from './step.js';

/** What a process is asked for. */
export interface Order {
  readonly models: readonly string[];
  /** Whether the kernel benchmarks' pipelines are wanted as well. */
  readonly benchmarks: boolean;
  /** Only so many pipelines, those on which the first model's step spends the most time; all by default. */
  readonly hottest?: number;
}

/** A pipeline, and its uses by model. */
export interface Compiled {
  readonly name: string;
  readonly uses: Readonly<Record<string, readonly Use[]>>;
}

/** What a process did. */
export interface Report {
  readonly adapter: AdapterInfo;
  readonly tier: string;
  /** Launches of each phase of a step (one decode step of it), by model. */
  readonly launches: Readonly<Record<string, Readonly<Record<Phase, number>>>>;
  /** In the order in which they were compiled. */
  readonly pipelines: readonly Compiled[];
}

/** Begins the line that announces a pipeline, by its place in {@link Report.pipelines}. */
export const ANNOUNCE = '##### ';
