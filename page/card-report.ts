/** What the page finds out about a GPU: the file that it offers, and that bench/results/cards/ takes. */
import type { PredictedPhase } from '../bench/instrument/predict.js';
import type { BenchRow } from '../bench/measure.js';
import type { AdapterInfo, Tier } from '../src/gpu/index.js';
import type { Roofline } from '../src/kernels/roofline.js';

/** A test that did not pass. */
export interface FailedCheck {
  readonly name: string;
  readonly reason: string;
}

/** The tests of a family of kernels. */
export interface FamilyChecks {
  readonly family: string;
  passed: number;
  skipped: number;
  readonly failed: FailedCheck[];
  seconds: number;
}

/** A phase of a step: measured, and as rooflines predict it. */
export interface MeasuredPhase extends PredictedPhase {
  readonly measuredSeconds: number;
  /** From the maker's data sheet, where the card is in the table of bench/instrument/cards.ts. */
  readonly sheetSeconds?: number;
}

/** A GRPO step of a model at random weights. */
export interface MeasuredStep {
  readonly model: string;
  /** How large the step is, in words. */
  readonly shape: string;
  readonly phases: readonly MeasuredPhase[];
}

/** Everything. */
export interface CardReport {
  readonly kind: 'osler-card';
  readonly version: 1;
  readonly osler: string;
  readonly date: string;
  readonly browser: string;
  adapter?: AdapterInfo;
  tier?: Tier;
  limits?: Readonly<Record<string, number>>;
  /** Whether only what software compiles quickly was run. */
  quick: boolean;
  /** Whether all that was to be run was. */
  complete: boolean;
  readonly checks: FamilyChecks[];
  roofline?: Roofline;
  readonly kernels: BenchRow[];
  readonly steps: MeasuredStep[];
  /** Sentences on what could not be done, or is not to be relied on, and what to do. */
  readonly notes: string[];
}

/** From the worker to the page. */
export type CardEvent =
  | {
      readonly kind: 'adapter';
      readonly adapter: AdapterInfo;
      readonly tier: Tier;
      readonly limits: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'doing'; readonly what: string }
  | { readonly kind: 'checks'; readonly checks: FamilyChecks }
  | { readonly kind: 'roofline'; readonly roofline: Roofline }
  | { readonly kind: 'kernel'; readonly row: BenchRow }
  | { readonly kind: 'step'; readonly step: MeasuredStep }
  | { readonly kind: 'note'; readonly note: string }
  | { readonly kind: 'end'; readonly complete: boolean };

/** To the worker. */
export interface CardRequest {
  /** Check, time or step only what has this name; by default all, or what software does in minutes. */
  readonly only?: string | undefined;
}

/** Takes what the worker tells into the report. */
export function addEvent(report: CardReport, event: CardEvent): void {
  switch (event.kind) {
    case 'adapter':
      report.adapter = event.adapter;
      report.tier = event.tier;
      report.limits = event.limits;
      break;
    case 'checks': {
      const at = report.checks.findIndex(({ family }) => family === event.checks.family);
      report.checks.splice(at < 0 ? report.checks.length : at, 1, event.checks);
      break;
    }
    case 'roofline':
      report.roofline = event.roofline;
      break;
    case 'kernel':
      report.kernels.push(event.row);
      break;
    case 'step':
      report.steps.push(event.step);
      break;
    case 'note':
      if (!report.notes.includes(event.note)) report.notes.push(event.note);
      break;
    case 'end':
      report.complete = event.complete;
      break;
  }
}
