/** What a report is made from, whichever kind of folder it was read from. */
import type { Evaluation, MetricRow, RunInfo, StepTally, TraceGroup } from './model.js';

/** The content of a report. */
export interface ReportContent {
  readonly rows: readonly MetricRow[];
  readonly evaluations: readonly Evaluation[];
  readonly traces: {
    /** Those that were kept. */
    readonly groups: readonly TraceGroup[];
    /** Completions, kept or not. */
    readonly seen: number;
    readonly tallies: readonly StepTally[];
  };
  /** Paths of pictures; traces hold indices into this. */
  readonly pictures: readonly string[];
  /** Lines that could not be used. */
  readonly badLines: number;
  /** Names of the files in the folder that all this comes from. */
  readonly files: readonly string[];
  /** Folders that paths of pictures may be relative to. */
  imageRoots(): Promise<string[]>;
  /** The head of the page. */
  info(extra: Pick<RunInfo, 'provenance' | 'written' | 'notes'>): RunInfo;
}

/** Name of a folder, for a title. */
export function folderName(dir: string): string | undefined {
  return dir
    .split(/[/\\]/)
    .filter((part) => part !== '' && part !== '.')
    .at(-1);
}
